//! Hosts for tests: a real OpenSSH server and scripted fakes.
