//! Apache Pegasus.

mod admin;
mod answers;
mod client;
mod conditions;
mod options;
mod scan;
mod table;

#[pyo3::pymodule(submodule)]
pub(crate) mod pegasus {
    #[pymodule_export]
    use super::admin::{Admin, AsyncAdmin};
    #[pymodule_export]
    use super::client::{AsyncClient, Client};
    #[pymodule_export]
    use super::conditions::{Check, Filter, Mutation};
    #[pymodule_export]
    use super::scan::{AsyncPager, AsyncScanner, Pager, ResumeToken, Scanner};
    #[pymodule_export]
    use super::table::{AsyncTable, Table};
}
