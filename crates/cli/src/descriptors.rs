//! How many files and connections a server may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Has this process have as many open as it may allow itself: mostly a thousand until somebody asks for more. A store that can't open
/// another file takes no more writes, and idle connections alone could bring that about.
pub(crate) fn allow_all() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Where that is refused it goes on with what it has.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}
