//! The two classes of a handle: the one whose callers wait, and the one for asyncio. All calls are their base's; what only one of them has
//! is written here once for all handles that end with `close`.

/// The class whose callers wait: what is said of it, and `with`.
macro_rules! sync_face {
    ($class:ident: $base:ident { $($methods:tt)* }) => {
        #[pyo3::pymethods]
        impl $class {
            $($methods)*

            fn __enter__(this: pyo3::Bound<'_, Self>) -> pyo3::Bound<'_, Self> {
                this
            }

            #[pyo3(signature = (*_exception))]
            fn __exit__(this: &pyo3::Bound<'_, Self>, _exception: &pyo3::Bound<'_, pyo3::PyAny>) {
                let base: &$base = this.as_super().get();
                base.close();
            }
        }
    };
}

/// The class for asyncio: what is said of it, and `async with`.
macro_rules! async_face {
    ($class:ident: $base:ident { $($methods:tt)* }) => {
        #[pyo3::pymethods]
        impl $class {
            $($methods)*

            fn __aenter__<'py>(this: &pyo3::Bound<'py, Self>) -> pyo3::PyResult<pyo3::Bound<'py, pyo3::PyAny>> {
                let base: &$base = this.as_super().get();
                base.line.ready(this.clone().into_any())
            }

            #[pyo3(signature = (*_exception))]
            fn __aexit__<'py>(
                this: &pyo3::Bound<'py, Self>,
                _exception: &pyo3::Bound<'_, pyo3::PyAny>,
            ) -> pyo3::PyResult<pyo3::Bound<'py, pyo3::PyAny>> {
                let base: &$base = this.as_super().get();
                base.close();
                base.line.ready(this.py().None().into_bound(this.py()))
            }
        }
    };
}

/// Both classes of what gives one thing after the other, whose base has a `feed`.
macro_rules! iterator_faces {
    ($base:ident: $sync:ident, $async:ident) => {
        $crate::bridge::sync_face! { $sync: $base {
            fn __iter__(this: pyo3::Bound<'_, Self>) -> pyo3::Bound<'_, Self> {
                this
            }

            fn __next__<'py>(this: &pyo3::Bound<'py, Self>) -> pyo3::PyResult<pyo3::Bound<'py, pyo3::PyAny>> {
                this.as_super().get().feed.iterate(this.py())
            }
        } }

        $crate::bridge::async_face! { $async: $base {
            fn __aiter__(this: pyo3::Bound<'_, Self>) -> pyo3::Bound<'_, Self> {
                this
            }

            fn __anext__<'py>(this: &pyo3::Bound<'py, Self>) -> pyo3::PyResult<pyo3::Bound<'py, pyo3::PyAny>> {
                this.as_super().get().feed.iterate(this.py())
            }
        } }
    };
}

pub(crate) use {async_face, iterator_faces, sync_face};
