//! What some registries do differently: one function for each, named after it, with its source.
//!
//! A strange answer is looked up here first. Some need no decision of their own:
//!
//! - distribution answers `HEAD` with 200 and the right length for data that is gone, from its
//!   cache: that is why [`super::look`] asks for the last byte.
//! - Gitea and Forgejo ignore `Range` and answer 200 with everything: [`super::look`] reads that.
//! - zot answers `HEAD` and `Range` with 404 for data that a `GET` still delivers in part, and
//!   olareg 200 without a byte for data that is empty: [`super::look`] asks again without `Range`.
//! - Registries without `Docker-Content-Digest`: a digest is always computed from the bytes.

use crate::oci::reference::DOCKER_HUB;
use crate::walk::cause::Cause;
use crate::walk::product::Product;
use crate::walk::source::{Fault, FaultKind};

/// Docker Hub's API is not at the host that its references name.
pub(super) fn docker_hub_has_another_host_for_its_api(registry: &str) -> &str {
    match registry {
        DOCKER_HUB => "registry-1.docker.io",
        other => other,
    }
}

/// Registries that are run for everybody are known by their hosts.
pub(super) fn hosted_registries_are_known_by_their_hosts(registry: &str) -> Option<Product> {
    let host = registry.strip_suffix(":443").unwrap_or(registry);
    let is_below = |domain: &str| {
        let above = host.strip_suffix(domain);
        above.is_some_and(|above| above.ends_with('.'))
    };
    match host {
        DOCKER_HUB => Some(Product::DockerHub),
        "ghcr.io" => Some(Product::Ghcr),
        "quay.io" => Some(Product::Quay),
        "registry.gitlab.com" => Some(Product::GitLab),
        "public.ecr.aws" => Some(Product::Ecr),
        "gcr.io" => Some(Product::Google),
        _ if is_below("gcr.io") || is_below("pkg.dev") => Some(Product::Google),
        _ if is_below("azurecr.io") || is_below("azurecr.cn") => Some(Product::Acr),
        _ if host.contains(".dkr.ecr")
            && (is_below("amazonaws.com") || is_below("amazonaws.com.cn")) =>
        {
            Some(Product::Ecr)
        }
        _ => None,
    }
}

/// The value of `Accept` for manifests: distribution answers 404 for a type that is not listed, and
/// without the header it may deliver one platform's manifest in place of the index.
///
/// <https://github.com/distribution/distribution/blob/v2.8.3/registry/handlers/manifests.go>
pub(super) fn distribution_answers_404_for_types_not_accepted() -> &'static str {
    "application/vnd.oci.image.index.v1+json, \
     application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.docker.distribution.manifest.v2+json, \
     */*"
}

/// GHCR and Docker Hub answer 404 for some seconds after a push, so a 404 may mean "not yet"; see
/// [`super::retry`] for how long.
///
/// <https://github.com/int128/docker-manifest-create-action/issues/857>
pub(super) fn ghcr_and_docker_hub_answer_404_right_after_a_push(status: u16) -> bool {
    status == 404
}

/// A reverse proxy without a route, or any web server, answers 404 without an error in a registry's
/// JSON. It counts only when something answers at `/v2/` as a registry does.
pub(super) fn a_proxy_answers_404_in_the_registrys_place(fault: &Fault) -> bool {
    let is_foreign = matches!(
        fault.cause,
        Cause::Status {
            is_registrys: false,
            ..
        }
    );
    fault.kind == FaultKind::NotFound && is_foreign
}

/// Public ECR answers 400 where others answer 401, when a token has expired; and does not repeat
/// its challenge.
///
/// <https://github.com/oras-project/oras-go/issues/1227>
pub(super) fn public_ecr_answers_400_for_an_expired_token(status: u16, body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body).to_ascii_lowercase();
    status == 400
        && text.contains("token")
        && ["expired", "invalid", "denied", "unauthorized"]
            .iter()
            .any(|word| text.contains(word))
}

/// TLS servers written in Go, and nginx, answer plain HTTP with a 400 that asks for HTTPS.
///
/// <https://github.com/golang/go/blob/go1.23.0/src/net/http/server.go>,
/// <https://nginx.org/en/docs/http/ngx_http_ssl_module.html#errors>
pub(super) fn go_and_nginx_answer_400_for_plain_http(status: u16, body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    status == 400 && (text.contains("HTTPS server") || text.contains("HTTPS port"))
}

/// Registries that cannot do `HEAD` say so with several statuses. Some redirect it to a URL that is
/// signed for `GET` alone, where the storage answers 403; a storage may answer 404 as well. So only
/// a request for the content decides.
///
/// <https://github.com/minio/minio/issues/6146>
pub(super) fn s3_answers_403_for_head_on_a_url_signed_for_get(status: u16) -> bool {
    matches!(status, 400 | 403 | 405 | 501)
}

/// Whether `HEAD` failed with a status that says nothing about `GET`: any but "too many requests".
pub(super) fn head_fails_where_get_works(status: Option<u16>, kind: FaultKind) -> bool {
    status.is_some() && kind != FaultKind::RateLimited
}

/// Servers that refuse a `Range` with one of these statuses may still deliver everything.
pub(super) fn some_refuse_ranges_and_deliver_everything(status: Option<u16>) -> bool {
    matches!(status, Some(400 | 403 | 405 | 501))
}

/// Registries without the Referrers API should answer 404, and some answer otherwise; then the
/// fallback tag is read.
///
/// <https://github.com/google/go-containerregistry/blob/main/pkg/v1/remote/referrers.go>
pub(super) fn some_answer_400_or_406_without_the_referrers_api(status: Option<u16>) -> bool {
    matches!(status, Some(400 | 405 | 406 | 501))
}

/// Token servers take a login by `GET`, by `POST` or by both: GCR answers `POST` with 404 or 405,
/// ACR with 400. Then the other method is tried.
///
/// <https://github.com/containerd/containerd/blob/main/core/remotes/docker/authorizer.go>
pub(super) fn gcr_and_acr_refuse_one_method_for_tokens(status: u16) -> bool {
    matches!(status, 400 | 404 | 405 | 501)
}

/// By the specification the answer to content that was taken is 201. Some registries answer 200,
/// 202 or 204, which other clients accept.
///
/// <https://github.com/containerd/containerd/blob/main/core/remotes/docker/pusher.go>
pub(super) fn some_answer_200_202_or_204_for_what_they_took(status: u16) -> bool {
    matches!(status, 200 | 201 | 202 | 204)
}

/// Some token servers write `expires_in` as a text.
pub(super) fn some_write_expires_in_as_text(expires_in: &serde_json::Value) -> Option<f64> {
    expires_in
        .as_f64()
        .or_else(|| expires_in.as_str()?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_hub_is_asked_at_its_own_host() {
        let host = docker_hub_has_another_host_for_its_api;
        assert_eq!(host("docker.io"), "registry-1.docker.io");
        assert_eq!(host("ghcr.io"), "ghcr.io");
    }

    #[test]
    fn hosted_registries_are_recognised_by_whole_names() {
        let product = hosted_registries_are_known_by_their_hosts;
        for (host, expected) in [
            ("docker.io", Product::DockerHub),
            ("ghcr.io:443", Product::Ghcr),
            ("eu.gcr.io", Product::Google),
            ("europe-docker.pkg.dev", Product::Google),
            ("team.azurecr.io", Product::Acr),
            ("1234.dkr.ecr.eu-west-1.amazonaws.com", Product::Ecr),
            ("1234.dkr.ecr-fips.us-east-1.amazonaws.com", Product::Ecr),
        ] {
            assert_eq!(product(host), Some(expected), "{host}");
        }
        for other in [
            "ghcr.io:5000",
            "evilgcr.io",
            "quay.io.example",
            "1234.dkr.ecr.eu-west-1.amazonaws.com.example",
            "bucket.s3.amazonaws.com",
            "localhost:5000",
        ] {
            assert_eq!(product(other), None, "{other}");
        }
    }

    #[test]
    fn an_expired_token_is_recognised_in_a_400() {
        let is_expired = public_ecr_answers_400_for_an_expired_token;
        let expired =
            br#"{"errors":[{"code":"DENIED","message":"Your Authorization Token is invalid."}]}"#;
        let other = br#"{"errors":[{"code":"NAME_INVALID","message":"invalid name"}]}"#;
        assert!(is_expired(400, expired));
        assert!(!is_expired(404, expired));
        assert!(!is_expired(400, other));
    }

    #[test]
    fn a_400_that_asks_for_https_is_recognised() {
        let asks = go_and_nginx_answer_400_for_plain_http;
        assert!(asks(
            400,
            b"Client sent an HTTP request to an HTTPS server.\n"
        ));
        assert!(asks(
            400,
            b"<center>The plain HTTP request was sent to HTTPS port</center>"
        ));
        assert!(!asks(404, b"an HTTPS server"));
        assert!(!asks(400, b"bad request"));
    }

    #[test]
    fn a_lifetime_is_a_number_or_its_text() {
        let seconds =
            |text: &str| some_write_expires_in_as_text(&serde_json::from_str(text).unwrap());
        assert_eq!(seconds("300"), Some(300.0));
        assert_eq!(seconds(r#"" 300 ""#), Some(300.0));
        assert_eq!(seconds(r#""soon""#), None);
        assert_eq!(seconds("null"), None);
    }
}
