//! What may happen in a run of the model.

use bytes::Bytes;
use charioteer_engine::cache::{
    Arithmetic, Delete, Expiry, Initial, Read, Recache, RemoveValue, Stale, Store, StoreMode, Vivify,
};
use proptest::option;
use proptest::prelude::*;

#[derive(Debug, Clone)]
pub(super) enum Step {
    Advance(u32),
    Flush(u32),
    Sweep,
    Run(String, Plan),
}

/// An operation; what it refers to is known when it is run.
#[derive(Debug, Clone)]
pub(super) enum Plan {
    Read(ReadPlan),
    Store(StorePlan),
    Delete { compare: Option<Id>, stale: Option<Option<When>>, remove: Option<(u32, When)> },
    Arithmetic { decrements: bool, delta: u64, create: Option<(u64, When)>, compare: Option<Id>, touch: Option<When> },
    Inspect,
}

#[derive(Debug, Clone)]
pub(super) struct ReadPlan {
    value: bool,
    bump: bool,
    may_win: bool,
    touch: Option<When>,
    vivify: Option<When>,
    recache: Option<(When, bool)>,
    compare: Option<Id>,
}

#[derive(Debug, Clone)]
pub(super) struct StorePlan {
    mode: StoreMode,
    value: String,
    flags: u32,
    expiry: When,
    compare: Option<Id>,
    cas: Option<u64>,
    create: Option<When>,
    invalidate: bool,
    removes_when_refused: bool,
}

/// Where a step is taken: the time, and the CAS id of the item, or 0.
#[derive(Debug, Clone, Copy)]
pub(super) struct Point {
    pub(super) now: u32,
    pub(super) cas: u64,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum When {
    Never,
    Past,
    In(u32),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Id {
    Zero,
    Same,
    Lower,
    Higher,
}

impl Point {
    fn expiry(self, when: When) -> Expiry {
        match when {
            When::Never => Expiry::NEVER,
            When::Past => Expiry::PAST,
            When::In(seconds) => Expiry::at(self.now + seconds),
        }
    }

    fn id(self, id: Id) -> u64 {
        match id {
            Id::Zero => 0,
            Id::Same => self.cas,
            Id::Lower => self.cas.saturating_sub(1),
            Id::Higher => self.cas + 1,
        }
    }

    pub(super) fn read(self, plan: &ReadPlan) -> Read {
        let mut read = Read::get();
        (read.value, read.bump, read.may_win) = (plan.value, plan.bump, plan.may_win);
        read.touch = plan.touch.map(|when| self.expiry(when));
        read.vivify = plan.vivify.map(|when| Vivify { expiry: self.expiry(when), cas: None });
        read.recache = plan.recache.map(|(when, after_touch)| Recache { before: self.expiry(when), after_touch });
        read.compare = plan.compare.map(|id| self.id(id));
        read
    }

    pub(super) fn store(self, plan: &StorePlan) -> Store {
        let value = Bytes::copy_from_slice(plan.value.as_bytes());
        let mut store = Store::set(value, plan.flags, self.expiry(plan.expiry));
        store.mode = plan.mode;
        store.compare = plan.compare.map(|id| self.id(id));
        store.create = plan.create.map(|when| self.expiry(when));
        (store.cas, store.invalidate) = (plan.cas, plan.invalidate);
        store.removes_when_refused = plan.removes_when_refused;
        store
    }

    pub(super) fn delete(
        self,
        compare: Option<Id>,
        stale: Option<Option<When>>,
        remove: Option<(u32, When)>,
    ) -> Delete {
        let mut delete = Delete::new();
        delete.compare = compare.map(|id| self.id(id));
        delete.stale = stale.map(|when| Stale { expiry: when.map(|when| self.expiry(when)) });
        delete.remove_value = remove.map(|(flags, when)| RemoveValue { flags, expiry: self.expiry(when) });
        delete
    }

    pub(super) fn arithmetic(
        self,
        (decrements, delta): (bool, u64),
        create: Option<(u64, When)>,
        compare: Option<Id>,
        touch: Option<When>,
    ) -> Arithmetic {
        let mut arithmetic = Arithmetic::increment(delta);
        arithmetic.decrements = decrements;
        arithmetic.create = create.map(|(number, when)| Initial { number, expiry: self.expiry(when) });
        arithmetic.compare = compare.map(|id| self.id(id));
        arithmetic.touch = touch.map(|when| self.expiry(when));
        arithmetic
    }
}

pub(super) fn any_step() -> impl Strategy<Value = Step> {
    let plan = prop_oneof![
        4 => any_read().prop_map(Plan::Read),
        6 => any_store().prop_map(Plan::Store),
        2 => any_delete(),
        3 => any_arithmetic(),
        1 => Just(Plan::Inspect),
    ];
    prop_oneof![
        2 => (0_u32..8).prop_map(Step::Advance),
        1 => prop_oneof![Just(0), 0_u32..10].prop_map(Step::Flush),
        1 => Just(Step::Sweep),
        20 => ("[ab]|c{3}", plan).prop_map(|(key, plan)| Step::Run(key, plan)),
    ]
}

fn any_read() -> impl Strategy<Value = ReadPlan> {
    let parts = (any::<bool>(), any::<bool>(), any::<bool>(), maybe(any_when()), maybe(any_when()));
    (parts, maybe((any_when(), any::<bool>())), maybe(any_id())).prop_map(
        |((value, bump, may_win, touch, vivify), recache, compare)| ReadPlan {
            value,
            bump,
            may_win,
            touch,
            vivify,
            recache,
            compare,
        },
    )
}

fn any_store() -> impl Strategy<Value = StorePlan> {
    use StoreMode::{Add, Append, Prepend, Replace, Set};
    let mode = prop_oneof![2 => Just(Set), 1 => Just(Add), 1 => Just(Replace), 1 => Just(Append), 1 => Just(Prepend)];
    let value = prop_oneof![4 => "[0-9]{1,3}", 1 => "18446744073709551615", 2 => "[a-z ]{0,45}"];
    let parts = (mode, value, prop_oneof![Just(0), any::<u32>()], any_when());
    let rest = (maybe(any_id()), maybe(1_u64..6), maybe(any_when()), any::<bool>(), any::<bool>());
    (parts, rest).prop_map(
        |((mode, value, flags, expiry), (compare, cas, create, invalidate, removes_when_refused))| StorePlan {
            mode,
            value,
            flags,
            expiry,
            compare,
            cas,
            create,
            invalidate,
            removes_when_refused,
        },
    )
}

fn any_delete() -> impl Strategy<Value = Plan> {
    (maybe(any_id()), maybe(option::of(any_when())), maybe((0_u32..2, any_when())))
        .prop_map(|(compare, stale, remove)| Plan::Delete { compare, stale, remove })
}

fn any_arithmetic() -> impl Strategy<Value = Plan> {
    let delta = prop_oneof![4 => 0_u64..20, 1 => any::<u64>()];
    let create = (prop_oneof![0_u64..20, any::<u64>()], any_when());
    (any::<bool>(), delta, maybe(create), maybe(any_id()), maybe(any_when())).prop_map(
        |(decrements, delta, create, compare, touch)| Plan::Arithmetic { decrements, delta, create, compare, touch },
    )
}

fn any_when() -> impl Strategy<Value = When> {
    prop_oneof![3 => Just(When::Never), 1 => Just(When::Past), 8 => (1_u32..12).prop_map(When::In)]
}

fn any_id() -> impl Strategy<Value = Id> {
    prop_oneof![1 => Just(Id::Zero), 4 => Just(Id::Same), 2 => Just(Id::Lower), 1 => Just(Id::Higher)]
}

fn maybe<T: std::fmt::Debug>(some: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    option::weighted(0.3, some)
}
