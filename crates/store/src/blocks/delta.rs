//! Blocks that hold what differs from a key block.

use std::collections::HashMap;

use p2ppool_model::table::{List, Lists, NO_TEXT, NodeTable, Number, TextId, UNKNOWN, Word};

use super::key::{ROWS_MAX, read_texts, text_id, write_texts};
use super::varint::{Reader, Writer, zigzag};
use super::{Broken, Result};

/// As the key says.
const SAME: u8 = 0;
/// Not known any more.
const GONE: u8 = 1;
/// Another number.
const OTHER: u8 = 2;

pub(super) fn write(table: &NodeTable, key: &NodeTable) -> Vec<u8> {
    let pairs = pair(table, key);
    let ids = Ids::of(table, key);
    let mut fields = Writer::default();
    fields.uint(table.len() as u64);
    write_rows(&mut fields, &pairs, key.len());
    write_texts(&mut fields, ids.new.iter().map(|id| table.texts.get(*id)));
    fields.uint(Number::ALL.len() as u64);
    for number in Number::ALL {
        fields.stream(numbers(&table.numbers[number.at()], &key.numbers[number.at()], &pairs));
    }
    fields.uint(Word::ALL.len() as u64);
    for word in Word::ALL {
        fields.stream(words(&table.words[word.at()], &key.words[word.at()], &pairs, &ids));
    }
    fields.uint(List::ALL.len() as u64);
    for list in List::ALL {
        write_lists(&mut fields, &table.lists[list.at()], &key.lists[list.at()], &pairs, &ids);
    }
    fields.finish()
}

pub(super) fn read(fields: &[u8], key: &NodeTable) -> Result<NodeTable> {
    let mut fields = Reader::new(fields);
    let rows = fields.count(ROWS_MAX)?;
    let pairs = read_rows(&mut fields, rows, key.len())?;
    let mut table = NodeTable { texts: key.texts.clone(), ..NodeTable::default() };
    read_texts(&mut fields, &mut table.texts)?;
    let texts = table.texts.count();
    let columns = fields.count(Number::ALL.len())?;
    for (at, column) in table.numbers.iter_mut().enumerate() {
        *column =
            if at < columns { read_numbers(fields.stream()?, &key.numbers[at], &pairs)? } else { vec![UNKNOWN; rows] };
    }
    let columns = fields.count(Word::ALL.len())?;
    for (at, column) in table.words.iter_mut().enumerate() {
        *column = if at < columns {
            read_words(fields.stream()?, &key.words[at], &pairs, texts)?
        } else {
            vec![NO_TEXT; rows]
        };
    }
    let columns = fields.count(List::ALL.len())?;
    for (at, lists) in table.lists.iter_mut().enumerate() {
        *lists = if at < columns {
            read_lists(&mut fields, &key.lists[at], &pairs, texts)?
        } else {
            Lists { ends: vec![0; rows], items: Vec::new() }
        };
    }
    Ok(table)
}

/// The key's row of each row: both are in the order of their addresses.
fn pair(table: &NodeTable, key: &NodeTable) -> Vec<Option<usize>> {
    let mut at = 0;
    (0..table.len())
        .map(|row| {
            while at < key.len() && key.address(at) < table.address(row) {
                at += 1;
            }
            let same = at < key.len() && key.address(at) == table.address(row);
            at += usize::from(same);
            same.then(|| at - 1)
        })
        .collect()
}

fn write_rows(fields: &mut Writer, pairs: &[Option<usize>], key_rows: usize) {
    let mut kept = vec![false; key_rows];
    pairs.iter().flatten().for_each(|at| kept[*at] = true);
    let removed = (0..key_rows).filter(|at| !kept[*at]);
    let added = (0..pairs.len()).filter(|row| pairs[*row].is_none());
    write_positions(fields, removed);
    write_positions(fields, added);
}

fn write_positions(fields: &mut Writer, positions: impl Iterator<Item = usize>) {
    let (mut stream, mut count, mut next) = (Writer::default(), 0, 0);
    for position in positions {
        stream.uint((position - next) as u64);
        next = position + 1;
        count += 1;
    }
    fields.uint(count);
    fields.stream(stream);
}

fn read_positions(fields: &mut Reader<'_>, below: usize) -> Result<Vec<bool>> {
    let count = fields.count(below)?;
    let mut stream = fields.stream()?;
    let mut marked = vec![false; below];
    let mut next = 0_usize;
    for _ in 0..count {
        let position = next.saturating_add(stream.count(below)?);
        *marked.get_mut(position).ok_or(Broken("a row is missing"))? = true;
        next = position + 1;
    }
    Ok(marked)
}

fn read_rows(fields: &mut Reader<'_>, rows: usize, key_rows: usize) -> Result<Vec<Option<usize>>> {
    let removed = read_positions(fields, key_rows)?;
    let added = read_positions(fields, rows)?;
    let mut kept = (0..key_rows).filter(|at| !removed[*at]);
    let pairs = added.iter().map(|added| match added {
        true => Ok(None),
        false => kept.next().map(Some).ok_or(Broken("a row is missing")),
    });
    pairs.collect()
}

/// Positions of a table's texts in the key's texts, followed by those that the key does not have.
struct Ids {
    of: Vec<TextId>,
    new: Vec<TextId>,
}

impl Ids {
    fn of(table: &NodeTable, key: &NodeTable) -> Self {
        let known: HashMap<&str, TextId> = key.texts.iter().map(|(id, text)| (text, id)).collect();
        let mut ids = Self { of: vec![NO_TEXT], new: Vec::new() };
        for (id, text) in table.texts.iter() {
            let place = known.get(text).copied().unwrap_or_else(|| {
                ids.new.push(id);
                (key.texts.count() + ids.new.len() - 1) as TextId
            });
            ids.of.push(place);
        }
        ids
    }

    fn id(&self, id: TextId) -> TextId {
        self.of[id as usize]
    }
}

/// A step that all rows share (such as the time between two crawls, for uptimes), one byte per row
/// that says whether that is all, and the numbers of those where it is not. Nothing at all when
/// every row is as in the key.
fn numbers(column: &[i64], key: &[i64], pairs: &[Option<usize>]) -> Writer {
    let before = |row: usize| pairs[row].map_or(UNKNOWN, |at| key[at]);
    let step = common_step(column, before);
    let (mut flags, mut others) = (Writer::default(), Writer::default());
    let mut changed = step != 0;
    for (row, number) in column.iter().enumerate() {
        let expected = expected(before(row), step);
        let flag = match *number {
            number if number == expected => SAME,
            UNKNOWN => GONE,
            number => {
                others.int(number.wrapping_sub(if expected == UNKNOWN { 0 } else { expected }));
                OTHER
            }
        };
        changed |= flag != SAME;
        flags.byte(flag);
    }
    let mut stream = Writer::default();
    if changed {
        stream.int(step);
        stream.stream(flags);
        stream.stream(others);
    }
    stream
}

fn expected(before: i64, step: i64) -> i64 {
    if before == UNKNOWN { UNKNOWN } else { before.saturating_add(step) }
}

/// The median change, when it makes the others shorter.
fn common_step(column: &[i64], before: impl Fn(usize) -> i64) -> i64 {
    let mut steps: Vec<i64> = column
        .iter()
        .enumerate()
        .filter(|(row, number)| **number != UNKNOWN && before(*row) != UNKNOWN)
        .map(|(row, number)| number.wrapping_sub(before(row)))
        .collect();
    if steps.is_empty() {
        return 0;
    }
    let middle = steps.len() / 2;
    let median = *steps.select_nth_unstable(middle).1;
    let cost = |step: i64| -> u64 { steps.iter().map(|s| u64::from(bits(s.wrapping_sub(step)))).sum() };
    if median != 0 && cost(median) < cost(0) { median } else { 0 }
}

/// How much a number takes, roughly.
fn bits(number: i64) -> u32 {
    u64::BITS - zigzag(number).leading_zeros()
}

fn read_numbers(mut stream: Reader<'_>, key: &[i64], pairs: &[Option<usize>]) -> Result<Vec<i64>> {
    let before = pairs.iter().map(|pair| pair.map_or(UNKNOWN, |at| key[at]));
    if stream.len() == 0 {
        return Ok(before.collect());
    }
    let step = stream.int()?;
    let (mut flags, mut others) = (stream.stream()?, stream.stream()?);
    let number = |before: i64| {
        let expected = expected(before, step);
        Ok(match flags.byte()? {
            SAME => expected,
            GONE => UNKNOWN,
            OTHER => others.int()?.wrapping_add(if expected == UNKNOWN { 0 } else { expected }),
            _ => return Err(Broken("a number can't be read")),
        })
    };
    before.map(number).collect()
}

/// 0 for what is as in the key, else the text's position and one.
fn words(column: &[TextId], key: &[TextId], pairs: &[Option<usize>], ids: &Ids) -> Writer {
    let mut stream = Writer::default();
    let mut changed = false;
    for (row, id) in column.iter().enumerate() {
        let before = pairs[row].map_or(NO_TEXT, |at| key[at]);
        let id = ids.id(*id);
        changed |= id != before;
        stream.uint(if id == before { 0 } else { u64::from(id) + 1 });
    }
    if changed { stream } else { Writer::default() }
}

fn read_words(mut stream: Reader<'_>, key: &[TextId], pairs: &[Option<usize>], texts: usize) -> Result<Vec<TextId>> {
    let before = pairs.iter().map(|pair| pair.map_or(NO_TEXT, |at| key[at]));
    if stream.len() == 0 {
        return Ok(before.collect());
    }
    let word = |before| match stream.uint()? {
        0 => Ok(before),
        id => text_id(id - 1, texts),
    };
    before.map(word).collect()
}

/// Per row 0 when the list is as in the key, else its length and one; per item its place in the key's
/// list, relative to the one after the last, or 0 and a text.
fn write_lists(fields: &mut Writer, lists: &Lists, key: &Lists, pairs: &[Option<usize>], ids: &Ids) {
    let (mut lengths, mut places, mut texts) = (Writer::default(), Writer::default(), Writer::default());
    let mut changed = false;
    for (row, pair) in pairs.iter().enumerate() {
        let before = pair.map_or(&[][..], |at| key.row(at));
        let list = lists.row(row);
        if list.len() == before.len() && list.iter().zip(before).all(|(id, before)| ids.id(*id) == *before) {
            lengths.byte(0);
            continue;
        }
        changed = true;
        lengths.uint(list.len() as u64 + 1);
        let mut expected = 0_i64;
        for id in list {
            let id = ids.id(*id);
            if let Some(place) = before.iter().position(|before| *before == id) {
                places.uint(zigzag(place as i64 - expected) + 1);
                expected = place as i64 + 1;
            } else {
                places.byte(0);
                texts.uint(u64::from(id));
            }
        }
    }
    let mut stream = Writer::default();
    if changed {
        stream.stream(lengths);
        stream.stream(places);
        stream.stream(texts);
    }
    fields.stream(stream);
}

fn read_lists(fields: &mut Reader<'_>, key: &Lists, pairs: &[Option<usize>], texts: usize) -> Result<Lists> {
    let mut stream = fields.stream()?;
    let mut lists = Lists::default();
    let before = |pair: &Option<usize>| pair.map_or(&[][..], |at| key.row(at));
    if stream.len() == 0 {
        pairs.iter().for_each(|pair| lists.push(before(pair).iter().copied()));
        return Ok(lists);
    }
    let (mut lengths, mut places, mut new) = (stream.stream()?, stream.stream()?, stream.stream()?);
    let mut list = Vec::new();
    for pair in pairs {
        let before = before(pair);
        let length = lengths.count(places.len() + 1)?;
        if length == 0 {
            lists.push(before.iter().copied());
            continue;
        }
        list.clear();
        let mut expected = 0_i64;
        for _ in 1..length {
            let place = places.uint()?;
            if place == 0 {
                list.push(text_id(new.uint()?, texts)?);
                continue;
            }
            let place = expected.wrapping_add(super::varint::unzigzag(place - 1));
            let known = usize::try_from(place).ok().and_then(|place| before.get(place));
            list.push(*known.ok_or(Broken("an item of a list is missing"))?);
            expected = place + 1;
        }
        lists.push(list.iter().copied());
    }
    Ok(lists)
}
