//! Where the lines of earlier sessions are.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

/// The file, in a folder that is made if there is none: by the XDG's rules for what a program notes for its user.
pub(super) fn file() -> Option<PathBuf> {
    let folder = folder(env::var_os("XDG_STATE_HOME"), env::var_os("HOME"))?;
    fs::create_dir_all(&folder).ok()?;
    Some(folder.join("history"))
}

/// Paths that are not absolute are passed over, as those rules say.
fn folder(state: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    let absolute = |path: Option<OsString>| path.map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute(state).or_else(|| absolute(home).map(|home| home.join(".local/state")))?;
    Some(state.join("charioteer"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_folder_is_the_one_that_is_named_or_the_homes() {
        let at = |state: &str, home: &str| folder(Some(state.into()), Some(home.into()));
        assert_eq!(at("/state", "/home/ben"), Some("/state/charioteer".into()));
        assert_eq!(at("", "/home/ben"), Some("/home/ben/.local/state/charioteer".into()));
        assert_eq!(at("state", "/home/ben"), Some("/home/ben/.local/state/charioteer".into()));
        assert_eq!(folder(None, None), None);
    }
}
