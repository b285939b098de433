//! A store: commands of many callers travel in the messages of one stream.
