//! Values that many nodes share, each held once: media types, platforms, causes.

use std::hash::{BuildHasher as _, Hash, RandomState};

use hashbrown::HashTable;

/// Values with numbers. Equal values have equal numbers, and the default value has 0.
#[derive(Debug)]
pub(super) struct Pool<T> {
    values: Vec<T>,
    known: HashTable<u32>,
    state: RandomState,
}

impl<T: Hash + Eq + Default> Default for Pool<T> {
    fn default() -> Self {
        let mut pool = Self {
            values: Vec::new(),
            known: HashTable::new(),
            state: RandomState::new(),
        };
        pool.add(T::default());
        pool
    }
}

impl<T: Hash + Eq + Default> Pool<T> {
    /// The number of a value that is known already.
    pub(super) fn find(&self, value: &T) -> Option<u32> {
        let is_it = |number: &u32| self.get(*number) == value;
        self.known.find(self.state.hash_one(value), is_it).copied()
    }

    /// The number of a value that was not there before.
    ///
    /// # Panics
    /// When there are more than `u32::MAX`; the walk stops at 100,000 nodes.
    pub(super) fn add(&mut self, value: T) -> u32 {
        let number = u32::try_from(self.values.len()).expect("the walk stops at 100,000 nodes");
        let hash = self.state.hash_one(&value);
        self.values.push(value);
        let (values, state) = (&self.values, &self.state);
        let hash_of = |number: &u32| state.hash_one(&values[*number as usize]);
        self.known.insert_unique(hash, number, hash_of);
        number
    }

    /// The value of a number.
    pub(super) fn get(&self, number: u32) -> &T {
        &self.values[number as usize]
    }

    /// Every value, to be changed once nothing is added any more; the numbers stay.
    pub(super) fn change(&mut self) -> impl Iterator<Item = &mut T> {
        self.known.clear();
        self.values.iter_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_have_equal_numbers_and_the_default_has_zero() {
        let mut pool: Pool<String> = Pool::default();
        assert_eq!(pool.find(&String::new()), Some(0));
        assert_eq!(pool.find(&"a".to_owned()), None);
        let numbers: Vec<u32> = (0..1000).map(|n| pool.add(n.to_string())).collect();
        for (value, number) in numbers.iter().enumerate() {
            assert_eq!(pool.find(&value.to_string()), Some(*number));
            assert_eq!(pool.get(*number), &value.to_string());
        }
    }

    #[test]
    fn changed_values_keep_their_numbers() {
        let mut pool: Pool<String> = Pool::default();
        let (one, other) = (pool.add("one".into()), pool.add("other".into()));
        pool.change().for_each(|value| value.push('!'));
        assert_eq!(
            (pool.get(one).as_str(), pool.get(other).as_str()),
            ("one!", "other!")
        );
    }
}
