//! The query of a request, as actix-web reads it, but for text that is none: it would come with other characters in the
//! place of those that cannot be.

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::future::{Ready, ready};
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;

use super::problem::{Kind, Problem};

/// A query whose parameters are those of `T`.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> Query<T> {
    /// The query of a request.
    ///
    /// # Errors
    /// Where it is none of `T`.
    pub fn of(request: &HttpRequest) -> Result<Self, Problem> {
        Self::read(request.query_string())
    }

    fn read(query: &str) -> Result<Self, Problem> {
        if percent_decode_str(query).decode_utf8().is_err() {
            return Err(Problem::new(Kind::InvalidQuery, "The query is not UTF-8."));
        }
        let read = web::Query::<T>::from_query(query).map_err(|error| Problem::from(&error))?;
        Ok(Self(read.into_inner()))
    }
}

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::read(request.query_string()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn read(query: &str) -> Result<HashMap<String, String>, String> {
        Query::read(query).map(|Query(read)| read).map_err(|problem| problem.to_string())
    }

    #[test]
    fn text_that_is_none_is_refused_and_not_mended() {
        assert_eq!(read("name=%C3%84nn+B").unwrap()["name"], "Änn B");
        for bad in ["name=%FF", "name=%C3", "%FF=1", "a=1&b=%ED%A0%80"] {
            assert_eq!(read(bad).unwrap_err(), "The query is not UTF-8.", "{bad}");
        }
    }
}
