//! Other places than registries that tools name in front of an image: archives, directories, local
//! stores.

use super::reference::{InvalidReference, presentable};

/// How they are named by skopeo, podman and buildah.
const ELSEWHERE: [&str; 11] = [
    "atomic",
    "containers-storage",
    "dir",
    "docker-archive",
    "docker-daemon",
    "oci",
    "oci-archive",
    "ostree",
    "sif",
    "static",
    "tarball",
];

/// Refuses a text that names an image anywhere but in a registry.
///
/// `dir:1.2` is a legal reference, but nobody who types it means the image `dir` of Docker Hub.
///
/// # Errors
///
/// When the text begins with one of these transports, or with another word and a path.
pub(crate) fn refuse_elsewhere(text: &str) -> Result<(), InvalidReference> {
    let Some((transport, rest)) = text.split_once(':') else {
        return Ok(());
    };
    let is_word = transport
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    let is_path = ["/", "./", "../", "~/"]
        .iter()
        .any(|start| rest.starts_with(start))
        && !rest.starts_with("//");
    if ELSEWHERE.contains(&transport) || (is_word && is_path) {
        return Err(InvalidReference::because(format!(
            "{} is not in a registry: the transport {transport}: is not supported, only docker://, \
             oci: or none",
            presentable(text)
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_in_a_registry_is_refused_by_its_transport() {
        for text in [
            "oci-archive:app.tar:1",
            "docker-archive:app.tar",
            "containers-storage:localhost/app:1",
            "docker-daemon:app:latest",
            "dir:/tmp/app",
            "tarball:./app.tar",
            "squashfs:/tmp/app.sqsh",
        ] {
            let transport = text.split(':').next().unwrap();
            let error = refuse_elsewhere(text).unwrap_err().to_string();
            assert_eq!(
                error,
                format!(
                    "\"{text}\" is not in a registry: the transport {transport}: is not supported, \
                     only docker://, oci: or none"
                )
            );
        }
    }

    #[test]
    fn a_layout_is_not_in_a_registry_either() {
        for text in ["oci:app", "oci:/srv/app:1", "oci://app"] {
            assert!(refuse_elsewhere(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_may_be_a_password_is_not_shown() {
        let error = refuse_elsewhere("me:/hunter2@host/app").unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    #[test]
    fn what_is_in_a_registry_is_not() {
        for text in [
            "app",
            "app:1",
            "directory:1",
            "oci/app:1",
            "registry:5000/dir:1",
            "[::1]:5000/app",
            "docker://dir:1",
            "dir@sha256:12",
        ] {
            assert_eq!(refuse_elsewhere(text), Ok(()), "{text}");
        }
    }
}
