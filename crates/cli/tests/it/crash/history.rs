//! What a server that was killed may have of a thing.

/// The state of a thing as far as it was acknowledged, and the states that were asked for since.
#[derive(Debug, Clone)]
pub(super) struct History<S> {
    acknowledged: S,
    asked: Vec<S>,
}

impl<S: Clone> History<S> {
    pub(super) const fn new(state: S) -> Self {
        Self { acknowledged: state, asked: Vec::new() }
    }

    /// A state was asked for; the server may reach it from now on.
    pub(super) fn ask(&mut self, state: S) {
        self.asked.push(state);
    }

    /// The server has said that it reached a state, or was found to have reached it.
    pub(super) fn settle(&mut self, state: S) {
        self.acknowledged = state;
        self.asked.clear();
    }

    pub(super) const fn acknowledged(&self) -> &S {
        &self.acknowledged
    }

    /// The states that may be found.
    pub(super) fn possible(&self) -> impl Iterator<Item = &S> {
        std::iter::once(&self.acknowledged).chain(&self.asked)
    }
}
