//! One run: read the settings, verify, heal if asked to, tell.

use std::io::{self, Write as _};
use std::sync::Arc;

use crate::http::Clients;
use crate::report::exit::Exit;
use crate::report::judgement::Judgement;
use crate::report::text::{self, Style};
use crate::settings::{Command, Environment, Settings};
use crate::stop::Signals;
use crate::{settings, target, verify};

/// Runs with what the process found around itself, and says how it ended.
pub fn run(environment: &Environment) -> Exit {
    let command = match settings::read(environment, &|path| std::fs::read_to_string(path)) {
        Ok(command) => command,
        Err(error) => {
            eprintln!("error: {error}");
            return Exit::Configuration;
        }
    };
    let settings = match command {
        Command::Help(text) | Command::Version(text) => {
            println!("{text}");
            return Exit::Verified;
        }
        Command::Run { settings, .. } => settings,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    let exit = runtime.block_on(go(&settings));
    runtime.shutdown_background();
    exit
}

async fn go(settings: &Settings) -> Exit {
    let signals = Signals::listen().expect("signals");
    let targets = target::targets(&settings.wanted).expect("targets");
    let clients = Arc::new(Clients::new(settings.network.clone()));
    let stopping = signals.or_after(settings.patience.timeout);
    let report = verify::verify(settings, &targets, clients, stopping, |_| {}).await;
    let judgement = Judgement::of(&report);
    let mut out = io::stdout().lock();
    let _ = text::write(&judgement, Style { colour: false, verbose: false }, &mut out);
    let _ = out.flush();
    judgement.exit
}
