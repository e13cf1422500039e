//! The whole life of a pool.
