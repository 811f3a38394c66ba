//! Settings of build plugins (buildx, kaniko, buildah) that are accepted silently, so that a build
//! step and a verify step can share their settings.

/// Their names in `snake_case`; `*` at the end stands for anything.
const BUILD_ONLY: &[&str] = &[
    "add_host",
    "add_hosts",
    "allow",
    "annotation*",
    "args",
    "attest",
    "auths_file",
    "auto_label*",
    "aws_*",
    "base_image*",
    "bip",
    "build_*",
    "builder*",
    "buildkit*",
    "cache*",
    "call",
    "cgroup_parent",
    "cleanup",
    "compress*",
    "containerfile",
    "context*",
    "custom_dns*",
    "custom_labels",
    "custom_platform",
    "daemon*",
    "debug",
    "default_label*",
    "dockerfile",
    "driver*",
    "ecr_*",
    "email",
    "enable_cache",
    "entrypoint",
    "env_file",
    "environment",
    "epoch",
    "expand_tag",
    "experimental",
    "extra_hosts",
    "file",
    "force*",
    "git",
    "http_proxy",
    "https_proxy",
    "ignore_*",
    "image_*",
    "insecure_pull",
    "ipv6",
    "isolation",
    "json_key",
    "kaniko_*",
    "label*",
    "layers",
    "link",
    "load",
    "log_timestamp",
    "max_concurrent_uploads",
    "mirror",
    "mirrors",
    "mtu",
    "named_context*",
    "network*",
    "no_cache*",
    "no_proxy",
    "no_push_cache",
    "oci_*",
    "outputs",
    "privileged",
    "progress",
    "provenance*",
    "pull",
    "pull_image",
    "purge",
    "push",
    "push_*",
    "qemu*",
    "quiet",
    "registries_*",
    "registry_map",
    "registry_mirror*",
    "remote_*",
    "reproducible",
    "s3_*",
    "sbom*",
    "search_registry",
    "secret",
    "secret_*",
    "secrets",
    "secrets_*",
    "shm_size",
    "single_snapshot",
    "skip_build",
    "skip_default_registry_fallback",
    "skip_push_permission_check",
    "skip_tls_verify_pull",
    "skip_unused_stages",
    "snapshot*",
    "source_date_epoch",
    "squash",
    "ssh",
    "ssh_*",
    "storage_*",
    "tar_path",
    "tarball*",
    "target",
    "ulimit*",
    "use_new_run",
    "verbosity",
];

/// Whether a name in `snake_case` is known to build plugins alone.
pub(super) fn is_build_only(name: &str) -> bool {
    BUILD_ONLY
        .iter()
        .any(|known| match known.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == *known,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_build_plugins_are_recognised() {
        for name in [
            "dockerfile",
            "build_args",
            "build_args_from_env",
            "cache_from",
            "buildkit_config",
            "ecr_create_repository",
        ] {
            assert!(is_build_only(name), "{name}");
        }
        for name in ["docker", "mirror_x", "tagz"] {
            assert!(!is_build_only(name), "{name}");
        }
    }
}
