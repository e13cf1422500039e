//! The real server, on port 0, against its HTTP API and its command line.

mod actions;
mod routes;
mod support;
