//! How much a store on disk holds.

use charioteer_engine::{Batch, Db, DiskOptions, Durability, Error};

#[test]
fn a_store_with_as_many_keyspaces_as_it_takes_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let options = DiskOptions { durability: Durability::Memory, ..DiskOptions::default() };
    let db = Db::open(folder.path(), options.clone()).unwrap();
    let limit = loop {
        let name = format!("keyspace {}", db.keyspace_names().len());
        match db.keyspace(&name) {
            Ok(keyspace) => {
                let mut batch = Batch::new();
                batch.put(&keyspace, "key".into(), name.into());
                db.commit(batch).unwrap();
            }
            Err(Error::TooManyKeyspaces { limit }) => break limit,
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(db.keyspace_names().len(), limit);
    drop(db);
    let db = Db::open(folder.path(), options).unwrap();
    for name in db.keyspace_names() {
        let keyspace = db.keyspace(&name).unwrap();
        assert_eq!(db.get(&keyspace, b"key").unwrap().as_deref(), Some(name.as_bytes()));
    }
    db.drop_keyspace("keyspace 7").unwrap();
    db.keyspace("another").unwrap();
}
