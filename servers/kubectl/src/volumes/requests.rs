//! The request of a growth, as data.

use http::Request;

use super::acts::Grow;
use crate::requests::{MANAGER, Mode, Unwritable};

/// The request of a growth.
pub(crate) fn grow(it: &Grow, mode: Mode) -> Result<Request<Vec<u8>>, Unwritable> {
    let path = format!("/api/v1/namespaces/{}/persistentvolumeclaims/{}", it.claim.namespace, it.claim.name);
    let request = Request::patch(format!("{path}?fieldManager={MANAGER}{}", mode.query()))
        .header(http::header::ACCEPT, "application/json")
        .header(http::header::CONTENT_TYPE, "application/json-patch+json")
        .body(serde_json::to_vec(&it.operations())?)?;
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volumes::samples;

    #[test]
    fn a_growth_is_a_conditional_patch_of_the_claim_and_a_dry_run_says_so_in_the_query() {
        let path = "/api/v1/namespaces/shop/persistentvolumeclaims/data?fieldManager=runcord";
        let request = grow(&samples::grow(), Mode::Real).unwrap();
        assert_eq!((request.method(), request.uri().to_string().as_str()), (&http::Method::PATCH, path));
        assert_eq!(request.headers()["content-type"], "application/json-patch+json");
        assert_eq!(*request.body(), serde_json::to_vec(&samples::grow().operations()).unwrap());
        let dry = grow(&samples::grow(), Mode::DryRun).unwrap();
        assert_eq!(dry.uri().to_string(), format!("{path}&dryRun=All"));
    }
}
