//! Records: questions of the control port that wait for Kademlia.

use std::collections::HashMap;

use libp2p::kad::{self, GetRecordOk, QueryId, QueryResult, Quorum, Record};
use tokio::sync::oneshot;

use super::RecordError;
use super::behaviour::VALUE_BYTES_MAX;

/// Questions that wait at once.
const WAITING_MAX: usize = 32;

type Kad = kad::Behaviour<kad::store::MemoryStore>;
type Got = oneshot::Sender<Result<Vec<u8>, RecordError>>;
type Stored = oneshot::Sender<Result<(), RecordError>>;

#[derive(Debug)]
enum Waiting {
    Get(Got),
    Put(Stored),
}

/// The questions that wait.
#[derive(Debug, Default)]
pub struct Queries {
    waiting: HashMap<QueryId, Waiting>,
    /// Queries of any kind that ended.
    pub ended: u64,
}

// An asker that went away doesn't want its answer: sending to it may fail.
impl Queries {
    /// Looks a record up.
    pub fn get(&mut self, kad: &mut Kad, key: Vec<u8>, asker: Got) {
        if self.waiting.len() >= WAITING_MAX {
            let _ = asker.send(Err(RecordError::Busy));
            return;
        }
        self.waiting.insert(kad.get_record(key.into()), Waiting::Get(asker));
    }

    /// Stores a record here and on the nodes nearest to its key.
    pub fn put(&mut self, kad: &mut Kad, key: Vec<u8>, value: Vec<u8>, asker: Stored) {
        if self.waiting.len() >= WAITING_MAX {
            let _ = asker.send(Err(RecordError::Busy));
            return;
        }
        match kad.put_record(Record::new(key, value), Quorum::One) {
            Ok(id) => {
                self.waiting.insert(id, Waiting::Put(asker));
            }
            Err(error) => {
                let reason = format!("{error} (a value may have {VALUE_BYTES_MAX} bytes)");
                let _ = asker.send(Err(RecordError::Refused(reason)));
            }
        }
    }

    /// A query made progress; `is_last` when it ended.
    pub fn progressed(&mut self, kad: &mut Kad, id: QueryId, result: QueryResult, is_last: bool) {
        if is_last {
            self.ended += 1;
        }
        let Some(answer) = answer(result) else {
            if is_last {
                self.finish(id, Err(RecordError::NotFound));
            }
            return;
        };
        self.finish(id, answer);
        if let Some(mut query) = kad.query_mut(&id) {
            query.finish();
        }
    }

    fn finish(&mut self, id: QueryId, answer: Result<Vec<u8>, RecordError>) {
        match self.waiting.remove(&id) {
            Some(Waiting::Get(asker)) => drop(asker.send(answer)),
            Some(Waiting::Put(asker)) => drop(asker.send(answer.map(drop))),
            None => {}
        }
    }
}

/// What a result means for who waits for it; `None`: nothing yet.
fn answer(result: QueryResult) -> Option<Result<Vec<u8>, RecordError>> {
    match result {
        QueryResult::GetRecord(Ok(GetRecordOk::FoundRecord(found))) => Some(Ok(found.record.value)),
        QueryResult::GetRecord(Err(kad::GetRecordError::Timeout { .. })) => Some(Err(RecordError::Timeout)),
        QueryResult::GetRecord(Err(_)) => Some(Err(RecordError::NotFound)),
        QueryResult::PutRecord(Ok(_)) => Some(Ok(Vec::new())),
        QueryResult::PutRecord(Err(kad::PutRecordError::Timeout { .. })) => Some(Err(RecordError::Timeout)),
        QueryResult::PutRecord(Err(kad::PutRecordError::QuorumFailed { .. })) => Some(Err(RecordError::Alone)),
        _ => None,
    }
}
