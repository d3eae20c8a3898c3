//! One call, whichever backend it is: the one place that spells out that the set of backends is closed.

/// `with_backend!(&self.backend, store => store.call(arguments))`: the call's result with the store's name in its error.
macro_rules! with_backend {
    ($backend:expr, $store:ident => $call:expr) => {
        match $backend {
            Backend::Sqlite($store) => $call.in_store(&$store.label),
            #[cfg(feature = "postgres")]
            Backend::Postgres($store) => $call,
        }
    };
}

pub(crate) use with_backend;
