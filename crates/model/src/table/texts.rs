//! Texts of a table, each once.

use std::collections::HashMap;

/// Position of a text.
pub type TextId = u32;

/// Instead of a text that is not known.
pub const NO_TEXT: TextId = 0;

/// Texts by position. Position 0 stands for "not known".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Texts {
    all: String,
    ends: Vec<u32>,
}

impl Default for Texts {
    fn default() -> Self {
        Self { all: String::new(), ends: vec![0] }
    }
}

impl Texts {
    /// How many positions are taken, the one for "not known" included.
    pub fn count(&self) -> usize {
        self.ends.len()
    }

    /// The text at a position; empty when it is not known.
    pub fn get(&self, id: TextId) -> &str {
        if id == NO_TEXT {
            return "";
        }
        let at = id as usize;
        &self.all[self.ends[at - 1] as usize..self.ends[at] as usize]
    }

    /// The text at a position, when it is known.
    pub fn known(&self, id: TextId) -> Option<&str> {
        (id != NO_TEXT).then(|| self.get(id))
    }

    /// Adds a text that is not there yet.
    pub fn push(&mut self, text: &str) -> TextId {
        self.all.push_str(text);
        self.ends.push(u32::try_from(self.all.len()).unwrap_or(u32::MAX));
        u32::try_from(self.ends.len() - 1).unwrap_or(u32::MAX)
    }

    /// Every text with its position.
    pub fn iter(&self) -> impl Iterator<Item = (TextId, &str)> + Clone {
        (1..self.ends.len()).map(|at| (at as TextId, self.get(at as TextId)))
    }

    pub(super) fn bytes(&self) -> usize {
        self.all.capacity() + self.ends.capacity() * size_of::<u32>()
    }
}

/// Gives each text its position.
#[derive(Debug, Default)]
pub(super) struct Interner<'a> {
    texts: Texts,
    ids: HashMap<&'a str, TextId>,
}

impl<'a> Interner<'a> {
    pub(super) fn id(&mut self, text: &'a str) -> TextId {
        *self.ids.entry(text).or_insert_with(|| self.texts.push(text))
    }

    pub(super) fn id_of(&mut self, text: Option<&'a str>) -> TextId {
        text.map_or(NO_TEXT, |text| self.id(text))
    }

    pub(super) fn finish(self) -> Texts {
        self.texts
    }
}
