//! The clients that pull images, and sets of them.

use std::fmt;

use crate::text::human;

/// A client that pulls images; one name stands for all that share its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// containerd 2, as Kubernetes asks it; with it `BuildKit`, and docker since 29.
    Containerd,
    /// docker with its classic store, 23 and later.
    Docker,
    /// podman; with it CRI-O, skopeo and Buildah.
    Podman,
}

impl Client {
    /// Every client.
    pub const ALL: [Self; 3] = [Self::Containerd, Self::Docker, Self::Podman];

    /// The word for it in settings and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Containerd => "containerd",
            Self::Docker => "docker",
            Self::Podman => "podman",
        }
    }
}

/// A set of clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Clients(u8);

impl Clients {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// containerd alone.
    pub const CONTAINERD: Self = Self::of(&[Client::Containerd]);
    /// All of them.
    pub const ALL: Self = Self::of(&Client::ALL);

    /// The set of these.
    #[must_use]
    pub const fn of(clients: &[Client]) -> Self {
        let (mut bits, mut at) = (0, 0);
        while at < clients.len() {
            bits |= 1 << clients[at] as u8;
            at += 1;
        }
        Self(bits)
    }

    /// Both sets together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those that are not in the other.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether the sets have a client in common.
    #[must_use]
    pub fn meet(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether there is none in it.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Self::NONE
    }

    /// The clients in it.
    pub fn iter(self) -> impl Iterator<Item = Client> {
        let is_in = move |client: &Client| self.meet(Self::of(&[*client]));
        Client::ALL.into_iter().filter(is_in)
    }
}

impl fmt::Display for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self
            .iter()
            .map(|client| client.as_str().to_owned())
            .collect();
        f.write_str(&human::list(&names))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_join_and_meet() {
        let docker = Clients::of(&[Client::Docker]);
        let both = docker.and(Clients::CONTAINERD);
        assert_eq!(both.to_string(), "containerd and docker");
        assert!(both.meet(docker) && !docker.meet(Clients::CONTAINERD));
        assert!(Clients::NONE.is_empty() && !Clients::NONE.meet(Clients::ALL));
        assert_eq!(Clients::ALL.iter().collect::<Vec<_>>(), Client::ALL);
    }
}
