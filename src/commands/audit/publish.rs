//! Where the metrics of an audit go: a file, a Pushgateway, and the page that is served.

use std::collections::HashMap;

use log::{error, warn};

use crate::http::Clients;
use crate::http::listen::Page;
use crate::http::pushgateway::Pushgateway;
use crate::report::audit::Audit;
use crate::report::metrics::{self, Known, Series};
use crate::settings::AuditSettings;
use crate::terminal::metrics_file;

/// Publishes the metrics of one audit after the other.
pub(super) struct Publisher<'a> {
    settings: &'a AuditSettings,
    clients: Clients,
    page: &'a Page,
    /// What earlier runs said of each registry.
    known: HashMap<String, Known>,
}

impl<'a> Publisher<'a> {
    /// Knows what the file says of these registries.
    pub(super) fn new(settings: &'a AuditSettings, registries: &[String], page: &'a Page) -> Self {
        let mut publisher = Self {
            settings,
            clients: Clients::new(settings.network.clone()),
            page,
            known: HashMap::new(),
        };
        if let Some(path) = &settings.metrics.file {
            publisher.learn(&metrics_file::read(path), registries);
        }
        publisher
    }

    /// Writes the file and the page; whether the file was written, where there is one.
    pub(super) fn show(&mut self, audit: &Audit) -> bool {
        let all = self.series(audit);
        let page = page(&all);
        let file = self.settings.metrics.file.as_deref();
        let written = file.map_or(Ok(()), |path| metrics_file::replace(path, &page));
        self.page.replace(page);
        for (
            place,
            Series {
                registry, known, ..
            },
        ) in all.into_iter().enumerate()
        {
            if audit.is_conclusive(place) || self.known.contains_key(&registry) {
                self.known.insert(registry, known);
            }
        }
        written.inspect_err(|why| error!("{why}")).is_ok()
    }

    /// Pushes to the Pushgateway, where there is one. What cannot be pushed is a warning.
    pub(super) async fn push(&mut self, audit: &Audit) {
        if self.settings.metrics.gateway.is_some() {
            for place in 0..audit.registries.len() {
                self.push_one(audit, place).await;
            }
        }
    }

    fn series(&self, audit: &Audit) -> Vec<Series> {
        (0..audit.registries.len())
            .map(|place| self.series_of(audit, place))
            .collect()
    }

    fn series_of(&self, audit: &Audit, place: usize) -> Series {
        let nothing = Known::default();
        let known = self.known.get(&audit.registries[place]);
        Series::of(audit, place, self.shard(), known.unwrap_or(&nothing))
    }

    fn shard(&self) -> Option<String> {
        let shard = self.settings.extent.shard?;
        Some(format!("{}/{}", shard.number, shard.of))
    }

    /// Pushes what is said of one registry. A `PUT` replaces all that is there, so a run that could
    /// not look at everything first asks what that is.
    async fn push_one(&mut self, audit: &Audit, place: usize) {
        let registry = &audit.registries[place];
        if !audit.is_conclusive(place) && !self.known.contains_key(registry) {
            match self.gateway().page().await {
                Ok(page) => self.learn(&page, std::slice::from_ref(registry)),
                Err(why) => {
                    warn!(
                        "pushgateway: nothing is pushed for {registry}, because its earlier \
                         metrics would be lost: {why}"
                    );
                    return;
                }
            }
        }
        let series = self.series_of(audit, place);
        let shard = series.shard.as_deref().map(|shard| ("shard", shard));
        let labels: Vec<_> = [("registry", &**registry)]
            .into_iter()
            .chain(shard)
            .collect();
        let page = page(std::slice::from_ref(&series));
        let gateway = self.gateway();
        let pushed = gateway.put(&labels, metrics::CONTENT_TYPE, &page).await;
        if let Err(why) = pushed {
            warn!("pushgateway: the metrics of {registry} could not be pushed: {why}");
        }
    }

    fn gateway(&self) -> Pushgateway<'_> {
        let gateway = self.settings.metrics.gateway.as_ref();
        Pushgateway {
            gateway: gateway.expect("it is asked only where there is one"),
            clients: &self.clients,
            patience: &self.settings.patience,
        }
    }

    /// Takes what a page says of these registries.
    fn learn(&mut self, page: &str, registries: &[String]) {
        let metrics = &self.settings.metrics;
        let job = metrics.gateway.as_ref().map_or("", |gateway| &gateway.job);
        let shard = self.shard();
        for registry in registries {
            if let Some(known) = metrics::read(page, job, registry, shard.as_deref()) {
                self.known.insert(registry.clone(), known);
            }
        }
    }
}

fn page(series: &[Series]) -> String {
    let mut page = Vec::new();
    metrics::write(series, &mut page).expect("memory takes every byte");
    String::from_utf8(page).expect("it is made of texts")
}
