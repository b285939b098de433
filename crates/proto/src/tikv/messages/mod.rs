//! The messages, as `xtask codegen` makes them from the .proto files in `crates/proto/proto/tikv`.
//!
//! The files hold the fields that Charioteer uses; a peer may send others, which are passed over.

macro_rules! generated {
    ($($(#[$meta:meta])* $name:ident)*) => {$(
        $(#[$meta])*
        #[allow(
            missing_docs,
            unused_qualifications,
            clippy::doc_markdown,
            clippy::use_self,
            reason = "generated; what a field means stands in its .proto file where its name does not say it"
        )]
        #[rustfmt::skip]
        pub mod $name;
    )*};
}

generated! {
    /// TiDB's push-down, of which Charioteer knows enough to refuse it.
    coprocessor
    /// Who waits for whom.
    deadlock
    /// Why a store did not serve a region.
    errorpb
    /// The part of etcd that PD answers.
    etcdserverpb
    /// gRPC's health check.
    grpchealth
    /// Keyspaces.
    keyspacepb
    /// Commands of a store and their answers.
    kvrpcpb
    /// PD's store of small things, as etcd's keys.
    meta_storagepb
    /// Stores, regions, peers.
    metapb
    /// etcd's key-value pair.
    mvccpb
    /// PD.
    pdpb
    /// Many commands in one message.
    tikvpb
}
