//! Blocks that hold everything.

use p2ppool_model::table::{List, Lists, NO_TEXT, NodeTable, Number, TextId, Texts, UNKNOWN, Word};

use super::varint::{Reader, Writer, unzigzag, zigzag};
use super::{Broken, Result};

/// Most nodes of a snapshot; far above what a crawl takes in.
pub(super) const ROWS_MAX: usize = 16 << 20;

pub(super) fn write(table: &NodeTable) -> Vec<u8> {
    let mut fields = Writer::default();
    fields.uint(table.len() as u64);
    write_texts(&mut fields, table.texts.iter().map(|(_, text)| text));
    fields.uint(Number::ALL.len() as u64);
    for number in Number::ALL {
        fields.stream(numbers(&table.numbers[number.at()]));
    }
    fields.uint(Word::ALL.len() as u64);
    for word in Word::ALL {
        fields.stream(steps(&table.words[word.at()]));
    }
    fields.uint(List::ALL.len() as u64);
    for list in List::ALL {
        write_lists(&mut fields, &table.lists[list.at()]);
    }
    fields.finish()
}

pub(super) fn read(fields: &[u8]) -> Result<NodeTable> {
    let mut fields = Reader::new(fields);
    let rows = fields.count(ROWS_MAX)?;
    let mut table = NodeTable { texts: Texts::default(), ..NodeTable::default() };
    read_texts(&mut fields, &mut table.texts)?;
    let texts = table.texts.count();
    let columns = fields.count(Number::ALL.len())?;
    for (at, column) in table.numbers.iter_mut().enumerate() {
        *column = if at < columns { read_numbers(fields.stream()?, rows)? } else { vec![UNKNOWN; rows] };
    }
    let columns = fields.count(Word::ALL.len())?;
    for (at, column) in table.words.iter_mut().enumerate() {
        *column = if at < columns { read_steps(fields.stream()?, rows, texts)? } else { vec![NO_TEXT; rows] };
    }
    let columns = fields.count(List::ALL.len())?;
    for (at, lists) in table.lists.iter_mut().enumerate() {
        *lists = if at < columns {
            read_lists(&mut fields, rows, texts)?
        } else {
            Lists { ends: vec![0; rows], items: Vec::new() }
        };
    }
    Ok(table)
}

/// How many, their lengths, and all of them as one text.
pub(super) fn write_texts<'a>(fields: &mut Writer, texts: impl Iterator<Item = &'a str> + Clone) {
    fields.uint(texts.clone().count() as u64);
    let (mut lengths, mut all) = (Writer::default(), Writer::default());
    for text in texts {
        lengths.uint(text.len() as u64);
        all.bytes(text.as_bytes());
    }
    fields.stream(lengths);
    fields.stream(all);
}

pub(super) fn read_texts(fields: &mut Reader<'_>, texts: &mut Texts) -> Result<()> {
    let count = fields.count(u32::MAX as usize)?;
    let (mut lengths, all) = (fields.stream()?, fields.stream()?);
    let all = std::str::from_utf8(all.rest()).map_err(|_| Broken("a text is not UTF-8"))?;
    let mut at = 0_usize;
    for _ in 0..count {
        let length = lengths.count(all.len())?;
        let text = all.get(at..at.saturating_add(length)).ok_or(Broken("a text is cut off"))?;
        texts.push(text);
        at += length;
    }
    Ok(())
}

/// Each as the step from the last known one, 0 for unknown.
fn numbers(column: &[i64]) -> Writer {
    let mut stream = Writer::default();
    let mut last = 0_i64;
    for number in column {
        if *number == UNKNOWN {
            stream.byte(0);
            continue;
        }
        let step = zigzag(number.wrapping_sub(last));
        // 0 is taken; the largest step of all is told by its neighbour and the byte 0
        if step == u64::MAX {
            stream.uint(u64::MAX);
            stream.byte(1);
        } else {
            stream.uint(step + 1);
            if step + 1 == u64::MAX {
                stream.byte(0);
            }
        }
        last = *number;
    }
    stream
}

fn read_numbers(mut stream: Reader<'_>, rows: usize) -> Result<Vec<i64>> {
    if rows > stream.len() {
        return Err(Broken("a column is too short"));
    }
    let mut column = Vec::with_capacity(rows);
    let mut last = 0_i64;
    for _ in 0..rows {
        let code = stream.uint()?;
        if code == 0 {
            column.push(UNKNOWN);
            continue;
        }
        let step = if code == u64::MAX && stream.byte()? == 1 { u64::MAX } else { code - 1 };
        last = last.wrapping_add(unzigzag(step));
        column.push(last);
    }
    Ok(column)
}

/// Each as the step from the one before.
pub(super) fn steps(ids: &[TextId]) -> Writer {
    let mut stream = Writer::default();
    let mut last = 0;
    for id in ids {
        stream.int(i64::from(*id) - last);
        last = i64::from(*id);
    }
    stream
}

fn read_steps(mut stream: Reader<'_>, count: usize, texts: usize) -> Result<Vec<TextId>> {
    if count > stream.len() {
        return Err(Broken("a column is too short"));
    }
    let mut ids = Vec::with_capacity(count);
    let mut last = 0_i64;
    for _ in 0..count {
        last = last.wrapping_add(stream.int()?);
        ids.push(text_id(last as u64, texts)?);
    }
    Ok(ids)
}

/// A position that there is.
pub(super) fn text_id(id: u64, texts: usize) -> Result<TextId> {
    if id < texts as u64 { Ok(id as TextId) } else { Err(Broken("a text is missing")) }
}

/// How the items of lists are written: whichever is shorter.
const PLAIN: u8 = 0;
const STEPS: u8 = 1;

fn write_lists(fields: &mut Writer, lists: &Lists) {
    let mut lengths = Writer::default();
    let mut begin = 0;
    for end in &lists.ends {
        lengths.uint(u64::from(end - begin));
        begin = *end;
    }
    fields.stream(lengths);
    let mut plain = Writer::default();
    lists.items.iter().for_each(|id| plain.uint(u64::from(*id)));
    let steps = steps(&lists.items);
    if steps.len() < plain.len() {
        fields.byte(STEPS);
        fields.stream(steps);
    } else {
        fields.byte(PLAIN);
        fields.stream(plain);
    }
}

fn read_lists(fields: &mut Reader<'_>, rows: usize, texts: usize) -> Result<Lists> {
    let mut lengths = fields.stream()?;
    let form = fields.byte()?;
    let mut stream = fields.stream()?;
    if rows > lengths.len() {
        return Err(Broken("a list is missing"));
    }
    let mut ends = Vec::with_capacity(rows);
    let mut items = 0_usize;
    for _ in 0..rows {
        items += lengths.count(stream.len())?;
        ends.push(u32::try_from(items).map_err(|_| Broken("its lists are too long"))?);
    }
    let items = match form {
        STEPS => read_steps(stream, items, texts)?,
        PLAIN if items <= stream.len() => (0..items).map(|_| text_id(stream.uint()?, texts)).collect::<Result<_>>()?,
        _ => return Err(Broken("a list can't be read")),
    };
    Ok(Lists { ends, items })
}
