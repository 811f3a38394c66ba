//! Who is compared with whom, and how each of them is asked to check an image.

use std::path::PathBuf;

use super::race::Contestant;

/// The programs that are there, and the names of those that are not.
pub(crate) struct Peers {
    /// Built by `cargo build --release`, beside the harness.
    pub(crate) pullproof: String,
    crane: Option<String>,
    skopeo: Option<String>,
    regctl: Option<String>,
    loops: bool,
    openssl: bool,
}

/// An image on a registry that is reached at `host`.
#[derive(Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) host: &'a str,
    pub(crate) name: &'a str,
    pub(crate) tag: &'a str,
}

impl Target<'_> {
    pub(crate) fn reference(&self) -> String {
        format!("{}/{}:{}", self.host, self.name, self.tag)
    }
}

impl Peers {
    /// Looks for them where `scripts/prepare-bench` puts them, and on the path.
    pub(crate) fn find() -> Self {
        let own = std::env::current_exe().expect("a running program has a path");
        let pullproof = own
            .ancestors()
            .nth(3)
            .expect("cargo puts examples two below the target directory");
        let pullproof = pullproof.join("release/pullproof");
        assert!(
            pullproof.exists(),
            "{} is not there: run `make bench`",
            pullproof.display()
        );
        Self {
            pullproof: pullproof.display().to_string(),
            crane: find("crane"),
            skopeo: find("skopeo"),
            regctl: find("regctl"),
            loops: ["bash", "curl", "jq", "sha256sum", "xargs"]
                .iter()
                .all(|name| find(name).is_some()),
            openssl: find("openssl").is_some(),
        }
    }

    /// The names of those that cannot take part.
    pub(crate) fn missing(&self) -> Vec<&'static str> {
        let tools = [
            ("crane", self.crane.is_some()),
            ("skopeo", self.skopeo.is_some()),
            ("regctl", self.regctl.is_some()),
            ("curl with jq", self.loops),
            ("openssl", self.openssl),
        ];
        tools
            .into_iter()
            .filter(|(_, there)| !there)
            .map(|(name, _)| name)
            .collect()
    }

    pub(crate) fn pullproof(&self, depth: &str, references: &[String]) -> Contestant {
        let arguments = ["verify", "--depth", depth, "--settle", "0s"].map(str::to_owned);
        let words = [self.pullproof.clone()]
            .into_iter()
            .chain(arguments)
            .chain(references.iter().cloned());
        Contestant::new(&format!("pullproof, `{depth}`"), words)
    }

    /// An audit of a whole registry.
    pub(crate) fn audit(&self, host: &str, more: &[&str]) -> Contestant {
        let arguments = ["audit", host, "--report", "{}/report.json"];
        let words = [&self.pullproof].into_iter().cloned();
        let words = words.chain(arguments.iter().chain(more).map(|word| (*word).to_owned()));
        Contestant::new("`pullproof audit`", words)
    }

    /// Another program, where it is there.
    pub(crate) fn program(name: &str) -> Option<String> {
        find(name)
    }

    /// The same of a few repositories with other tools.
    pub(crate) fn audits(&self, host: &str, repositories: &[String]) -> Vec<Contestant> {
        let crane = self.crane.as_ref().map(|crane| {
            let words = [script("crane-audit.sh"), crane.clone(), host.to_owned()];
            let words = words.into_iter().chain(repositories.iter().cloned());
            Contestant::new("`crane ls` and `crane validate --fast`", words)
        });
        let curl = self.loops.then(|| {
            let words = [script("curl-audit.sh"), format!("http://{host}")];
            let words = words.into_iter().chain(repositories.iter().cloned());
            Contestant::new("curl + jq, `HEAD` in a loop", words)
        });
        crane.into_iter().chain(curl).collect()
    }

    /// `crane validate --fast`: does every blob exist?
    pub(crate) fn crane_fast(&self, target: Target) -> Option<Contestant> {
        let crane = self.crane.clone()?;
        let words = [
            crane,
            "validate".into(),
            "--fast".into(),
            "--remote".into(),
            target.reference(),
        ];
        Some(Contestant::new("`crane validate --fast`", words))
    }

    /// `crane validate`: fetches, unpacks and hashes everything.
    pub(crate) fn crane(&self, target: Target) -> Option<Contestant> {
        let crane = self.crane.clone()?;
        let words = [
            crane,
            "validate".into(),
            "--remote".into(),
            target.reference(),
        ];
        Some(Contestant::new("`crane validate`", words))
    }

    /// `skopeo copy --all`: fetches and hashes everything, and keeps it.
    pub(crate) fn skopeo(&self, target: Target) -> Option<Contestant> {
        let skopeo = self.skopeo.clone()?;
        let fixed = [
            "--insecure-policy",
            "copy",
            "--all",
            "--quiet",
            "--src-tls-verify=false",
        ]
        .map(str::to_owned);
        let places = [
            format!("docker://{}", target.reference()),
            "dir:{}/image".to_owned(),
        ];
        Some(Contestant::new(
            "`skopeo copy --all` to a directory",
            [skopeo].into_iter().chain(fixed).chain(places),
        ))
    }

    /// `regctl image export`: fetches everything into one file, here into none.
    pub(crate) fn regctl(&self, target: Target) -> Option<Contestant> {
        let regctl = self.regctl.clone()?;
        let host = format!("reg={},tls=disabled", target.host);
        let words = [
            regctl,
            "--host".into(),
            host,
            "image".into(),
            "export".into(),
            target.reference(),
        ];
        let words = words.into_iter().chain(["/dev/null".to_owned()]);
        Some(Contestant::new("`regctl image export` to /dev/null", words))
    }

    /// The loop of curl and jq.
    pub(crate) fn head_loop(&self, target: Target) -> Option<Contestant> {
        let words = [
            script("head-loop.sh"),
            format!("http://{}", target.host),
            target.name.into(),
            target.tag.into(),
        ];
        self.loops
            .then(|| Contestant::new("curl + jq, `HEAD` in a loop", words))
    }

    /// curl piped into a program that hashes, on all cores.
    pub(crate) fn hash_loops(&self, target: Target) -> Vec<Contestant> {
        let mut tools = vec!["sha256sum"];
        if self.openssl {
            tools.push("openssl dgst -sha256");
        }
        if !self.loops {
            tools.clear();
        }
        let with = |tool: &str| {
            let url = format!("http://{}", target.host);
            let words = [
                script("hash-loop.sh"),
                url,
                target.name.into(),
                target.tag.into(),
                tool.into(),
            ];
            Contestant::new(&format!("`curl \\| {tool}`, a process per core"), words)
        };
        tools.into_iter().map(with).collect()
    }
}

fn script(name: &str) -> String {
    format!("{}/benches/peers/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Where a program is: among the ones built for the comparison, else on the path.
fn find(name: &str) -> Option<String> {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .filter(|path| !path.is_empty())
        .map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let built = cache.map(|cache| cache.join("pullproof/bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places: Vec<PathBuf> = built
        .into_iter()
        .chain(std::env::split_paths(&path))
        .collect();
    places
        .iter()
        .map(|place| place.join(name))
        .find(|path| path.is_file())
        .map(|path| path.display().to_string())
}
