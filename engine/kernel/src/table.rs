//! A vector that is indexed by its own kind of number, so that a task is never looked up among the scopes.

use std::marker::PhantomData;
use std::ops::{Index, IndexMut};

/// A place in a [`Table`].
pub(crate) trait Key: Copy {
    fn new(place: u32) -> Self;
    fn place(self) -> usize;
}

macro_rules! key {
    ($key:path) => {
        impl Key for $key {
            fn new(place: u32) -> Self {
                $key(place)
            }
            fn place(self) -> usize {
                self.0 as usize
            }
        }
    };
}

key!(crate::task::TaskIx);
key!(crate::scope::ScopeIx);
key!(crate::frame::FrameIx);

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Table<K, T> {
    rows: Vec<T>,
    key: PhantomData<K>,
}

impl<K: Key, T> Table<K, T> {
    pub(crate) fn new() -> Table<K, T> {
        Table { rows: Vec::new(), key: PhantomData }
    }

    pub(crate) fn push(&mut self, row: T) -> K {
        let key = K::new(u32::try_from(self.rows.len()).expect("a run has fewer than 2^32 tasks"));
        self.rows.push(row);
        key
    }

    pub(crate) fn get(&self, key: K) -> Option<&T> {
        self.rows.get(key.place())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (K, &T)> {
        (0..).map(K::new).zip(&self.rows)
    }
}

impl<K: Key, T> Index<K> for Table<K, T> {
    type Output = T;
    fn index(&self, key: K) -> &T {
        &self.rows[key.place()]
    }
}

impl<K: Key, T> IndexMut<K> for Table<K, T> {
    fn index_mut(&mut self, key: K) -> &mut T {
        &mut self.rows[key.place()]
    }
}
