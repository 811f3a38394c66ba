//! What registries, proxies and attackers do, case by case, and the right result. A false "passed"
//! and a false "failed" are equally bad; an undecided result is neither.

mod answers;
mod breaks;
mod challenges;
mod chaos;
mod confirm;
mod documents;
mod encoding;
mod expiry;
mod forms;
mod graphs;
mod head;
mod hub;
mod moved;
mod outages;
mod products;
mod proxies;
mod range;
mod realms;
mod redirects;
mod referrers;
mod refusals;
mod resolve;
mod resume;
mod settle;
mod strangers;
mod throttle;
mod times;
mod tls;
mod trial;
mod two;
