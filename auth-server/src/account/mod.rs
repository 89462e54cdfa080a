//! What people see and change of their own account.

pub mod password;
