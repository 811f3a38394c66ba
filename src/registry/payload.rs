//! What goes with a request.

use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use reqwest::{Body, Method, Request};

use crate::http::Outgoing;
use crate::layout::content::{Content, PIECE};
use crate::text::secret::Secret;

/// What goes with a request; each try sends it from the start.
#[derive(Clone, Copy)]
pub(super) enum Payload<'a> {
    Nothing,
    /// A form for a token server.
    Form(&'a Secret),
    Bytes(&'a [u8]),
    /// What is read while it is sent.
    Content(&'a Content),
}

impl Payload<'_> {
    /// Puts it into a request; gives what is read while it is sent.
    pub(super) fn put_into(self, request: &mut Request) -> Option<Outgoing> {
        let (body, length, outgoing) = match self {
            Self::Nothing if is_reading(request.method()) => return None,
            Self::Nothing => (None, 0, None),
            Self::Form(form) => {
                let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
                request.headers_mut().insert(CONTENT_TYPE, form_type);
                let form = form.expose().to_owned();
                let length = form.len() as u64;
                (Some(form.into()), length, None)
            }
            Self::Bytes(bytes) => (Some(bytes.to_vec().into()), bytes.len() as u64, None),
            Self::Content(content) => {
                let outgoing = in_pieces(content);
                (Some(outgoing.body()), content.length(), Some(outgoing))
            }
        };
        let body: Option<Body> = body;
        *request.body_mut() = body;
        // Many registries refuse a body whose length they do not know.
        request.headers_mut().insert(CONTENT_LENGTH, length.into());
        outgoing
    }
}

/// Whether a method changes nothing.
pub(super) fn is_reading(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

fn in_pieces(content: &Content) -> Outgoing {
    let content = content.clone();
    Outgoing::new(move |position| {
        let left = content.length().saturating_sub(position);
        let mut piece = vec![0; usize::try_from(left).map_or(PIECE, |left| left.min(PIECE))];
        let read = content.read_at(&mut piece, position)?;
        piece.truncate(read);
        Ok(piece)
    })
}
