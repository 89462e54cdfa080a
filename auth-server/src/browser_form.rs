//! Forms that browsers post: read strictly, and only from our own pages.

use actix_web::{HttpRequest, web};
use shared::form::{ParameterError, Parameters};
use shared::session::{Forged, check_origin};

use crate::app::App;
use crate::browser::Visitor;
use crate::error_page::PageError;
use crate::form;

/// The fields of a posted form.
pub async fn fields(request: &HttpRequest, body: web::Payload) -> Result<Parameters, PageError> {
    Ok(form::read(request, body.into_inner()).await?)
}

/// The parameters of a query.
pub fn query(request: &HttpRequest) -> Result<Parameters, ParameterError> {
    Parameters::parse(request.query_string().as_bytes())
}

/// A form of ours, and whoever posted it from one of our pages.
pub async fn checked(app: &App, request: &HttpRequest, body: web::Payload) -> Result<(Visitor, Parameters), PageError> {
    check_origin(request)?;
    let form = fields(request, body).await?;
    let Some(visitor) = Visitor::known(app, request).await? else {
        return Err(Forged::Token.into());
    };
    visitor.session.check_form(request, &form)?;
    Ok((visitor, form))
}
