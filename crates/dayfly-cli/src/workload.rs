//! The token by which a CI system's job, or any other workload, proves what it is. Nobody is ever asked anything here.

mod github;

use crate::error::{Failure, Kind};
use std::{
    env,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// The variable that a GitLab job's `id_tokens` puts the token into.
pub const GITLAB_VARIABLE: &str = "DAYFLY_ID_TOKEN";

/// The largest token that is read, in bytes.
const LARGEST_TOKEN: u64 = 32 * 1024;

/// Where the token comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenSource {
    /// A file, such as a projected service account token of Kubernetes.
    File(PathBuf),
    /// A variable of the environment.
    Variable(String),
    /// GitHub Actions, which makes one for whoever asks from within the job.
    GitHub(github::Request),
}

impl TokenSource {
    /// What the platform offers, where it is one that is known: GitHub Actions with `permissions: id-token: write`, or a GitLab job with an `id_tokens` entry
    /// [`GITLAB_VARIABLE`].
    pub fn detect() -> Option<Self> {
        Self::detect_in(|name| env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn detect_in(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        if variable("GITHUB_ACTIONS").as_deref() == Some("true") {
            return github::Request::in_environment(&variable).map(Self::GitHub);
        }
        let is_gitlab = variable("GITLAB_CI").as_deref() == Some("true");
        (is_gitlab && variable(GITLAB_VARIABLE).is_some()).then(|| Self::Variable(GITLAB_VARIABLE.to_owned()))
    }

    /// The token, made for `audience`.
    pub async fn token(&self, audience: &str) -> Result<Zeroizing<String>, Failure> {
        let text = match self {
            Self::File(path) => read(path)?,
            Self::Variable(name) => Zeroizing::new(env::var(name).map_err(|_| missing(&format!("the variable {name} is not set")))?),
            Self::GitHub(request) => request.token(audience).await?,
        };
        let token = text.trim();
        if token.is_empty() { Err(missing("it is empty")) } else { Ok(Zeroizing::new(token.to_owned())) }
    }
}

fn read(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let mut text = Zeroizing::new(String::new());
    let read = File::open(path).and_then(|file| file.take(LARGEST_TOKEN).read_to_string(&mut text));
    read.map_err(|error| missing(&format!("{} cannot be read: {error}", path.display())))?;
    Ok(text)
}

fn missing(cause: &str) -> Failure {
    Failure::new(Kind::TokenRefused, "there is no token to prove what this workload is")
        .because(cause)
        .remedy("see docs/sign-in.md for what each platform has to be told")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn detect(variables: &[(&str, &str)]) -> Option<TokenSource> {
        TokenSource::detect_in(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn a_platform_is_known_by_its_own_variables() {
        assert_eq!(detect(&[]), None);
        assert_eq!(detect(&[("CI", "true"), (GITLAB_VARIABLE, "x")]), None);
        let gitlab = detect(&[("GITLAB_CI", "true"), (GITLAB_VARIABLE, "x")]);
        assert_eq!(gitlab, Some(TokenSource::Variable(GITLAB_VARIABLE.to_owned())));
        assert_eq!(detect(&[("GITHUB_ACTIONS", "true")]), None, "without id-token: write there is nothing to ask");
        let url = ("ACTIONS_ID_TOKEN_REQUEST_URL", "https://ci.example/token?x=1");
        assert!(matches!(
            detect(&[("GITHUB_ACTIONS", "true"), url, ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "t")]),
            Some(TokenSource::GitHub(_))
        ));
    }

    #[tokio::test]
    async fn what_is_missing_says_so_with_an_exit_code_of_its_own() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("token");
        let source = TokenSource::File(file.clone());
        assert_eq!(source.token("x").await.unwrap_err().kind.exit_code(), 8);
        std::fs::write(&file, " \n").unwrap();
        assert_eq!(source.token("x").await.unwrap_err().kind, Kind::TokenRefused);
        std::fs::write(&file, "a.b.c\n").unwrap();
        assert_eq!(source.token("x").await.unwrap().as_str(), "a.b.c");
        let absent = TokenSource::Variable("DAYFLY_NO_SUCH_VARIABLE".to_owned());
        assert_eq!(absent.token("x").await.unwrap_err().kind, Kind::TokenRefused);
    }
}
