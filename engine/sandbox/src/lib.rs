//! The practice production: a web shop in two colours, a router, a message sink.
