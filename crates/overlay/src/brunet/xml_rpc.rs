//! XML-RPC as Brunet's nodes speak it (XML-RPC.NET): calls are written, responses are read.
//!
//! Responses come through the overlay from strangers: size, depth and number of values are bounded,
//! a document type (and with it every entity of one's own) is refused.

use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::events::Event;

/// Largest response that is read, bytes. A connection table of a thousand neighbours has about 0.4 MB.
pub const RESPONSE_BYTES_MAX: usize = 4 << 20;
/// Deepest nesting of values; the deepest known answer has 4.
const DEPTH_MAX: usize = 12;
/// Most values of a response.
const VALUES_MAX: usize = 50_000;
/// Most characters of what the reader says: it quotes names, which may be as long as the response.
const ERROR_CHARS_MAX: usize = 200;

/// An argument of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument<'a> {
    /// `<string>`
    Text(&'a str),
    /// `<int>`
    Int(i32),
}

/// A value of a response.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `<i4>`, `<int>`, `<i8>`
    Int(i64),
    /// `<boolean>`
    Bool(bool),
    /// `<double>`
    Double(f64),
    /// `<string>`, no type at all, and what is nothing else: `<base64>`, `<dateTime.iso8601>`
    Text(String),
    /// `<nil/>`
    Nil,
    /// `<array>`
    Array(Vec<Value>),
    /// `<struct>`
    Struct(BTreeMap<String, Value>),
}

impl Value {
    /// A member of a struct.
    pub fn get(&self, name: &str) -> Option<&Value> {
        match self {
            Self::Struct(members) => members.get(name),
            _ => None,
        }
    }

    /// Its text.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A number that counts something.
    pub fn count(&self) -> Option<u32> {
        match self {
            Self::Int(number) => u32::try_from(*number).ok(),
            _ => None,
        }
    }

    /// A number.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Int(number) => Some(*number as f64),
            Self::Double(number) => Some(*number),
            _ => None,
        }
    }

    /// The items of an array; none of anything else.
    pub fn items(&self) -> &[Value] {
        match self {
            Self::Array(items) => items,
            _ => &[],
        }
    }
}

/// What a response says.
#[derive(Clone, Debug, PartialEq)]
pub enum Response {
    /// The method's result.
    Value(Value),
    /// The method, or who called it for us, said no.
    Fault {
        /// Its code: 0 from the XML-RPC server, 1 from the overlay.
        code: i64,
        /// Its text, often with a stack trace.
        message: String,
    },
}

/// A response that can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no XML-RPC response: {0}")]
pub struct Malformed(pub String);

/// The body of a call.
pub fn call(method: &str, arguments: &[Argument<'_>]) -> String {
    let escape = |text: &str| quick_xml::escape::escape(text.to_owned()).into_owned();
    let mut body = format!("<?xml version=\"1.0\"?>\n<methodCall><methodName>{}</methodName><params>", escape(method));
    for argument in arguments {
        let value = match argument {
            Argument::Text(text) => format!("<string>{}</string>", escape(text)),
            Argument::Int(number) => format!("<int>{number}</int>"),
        };
        body.push_str(&format!("<param><value>{value}</value></param>"));
    }
    body.push_str("</params></methodCall>");
    body
}

/// Reads the body of a response.
///
/// # Errors
/// When it is none, or exceeds a bound.
pub fn response(body: &[u8]) -> Result<Response, Malformed> {
    if body.len() > RESPONSE_BYTES_MAX {
        return Err(Malformed(format!("it has more than {RESPONSE_BYTES_MAX} bytes")));
    }
    let text = std::str::from_utf8(body).map_err(|_| Malformed("it is not UTF-8".to_owned()))?;
    let mut tokens = Tokens::new(text);
    tokens.open("methodResponse")?;
    let response = match tokens.next()? {
        Token::Open(name) if name == "params" => {
            tokens.open("param")?;
            tokens.open("value")?;
            let value = tokens.value(0)?;
            tokens.close("param")?;
            tokens.close("params")?;
            Response::Value(value)
        }
        Token::Open(name) if name == "fault" => {
            tokens.open("value")?;
            let value = tokens.value(0)?;
            tokens.close("fault")?;
            fault(&value)
        }
        other => return Err(unexpected("params or fault", &other)),
    };
    tokens.close("methodResponse")?;
    Ok(response)
}

fn fault(value: &Value) -> Response {
    let code = match value.get("faultCode") {
        Some(Value::Int(code)) => *code,
        _ => -1,
    };
    let message = value.get("faultString").and_then(Value::text).unwrap_or("no reason given").to_owned();
    Response::Fault { code, message }
}

/// A piece of the document; the text between two tags is one piece.
#[derive(Debug)]
enum Token {
    Open(String),
    Close(String),
    End,
}

struct Tokens<'a> {
    reader: Reader<&'a [u8]>,
    /// Text before the token that came last.
    text: String,
    values: usize,
}

impl<'a> Tokens<'a> {
    fn new(text: &'a str) -> Self {
        let mut reader = Reader::from_str(text);
        reader.config_mut().expand_empty_elements = true;
        Self { reader, text: String::new(), values: 0 }
    }

    fn next(&mut self) -> Result<Token, Malformed> {
        self.text.clear();
        loop {
            match self.reader.read_event().map_err(broken)? {
                Event::Start(tag) => return Ok(Token::Open(name(tag.name().as_ref()))),
                Event::End(tag) => return Ok(Token::Close(name(tag.name().as_ref()))),
                Event::Eof => return Ok(Token::End),
                Event::Text(text) => self.text.push_str(&text.xml10_content()),
                Event::CData(text) => self.text.push_str(&text.xml10_content()),
                Event::GeneralRef(reference) => self.text.push(character(&reference)?),
                Event::DocType(_) => return Err(Malformed("it has a document type".to_owned())),
                Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            }
        }
    }

    fn open(&mut self, wanted: &str) -> Result<(), Malformed> {
        match self.next()? {
            Token::Open(name) if name == wanted => Ok(()),
            other => Err(unexpected(&format!("<{wanted}>"), &other)),
        }
    }

    fn close(&mut self, wanted: &str) -> Result<(), Malformed> {
        match self.next()? {
            Token::Close(name) if name == wanted => Ok(()),
            other => Err(unexpected(&format!("</{wanted}>"), &other)),
        }
    }

    /// The rest of a value whose opening tag was read.
    fn value(&mut self, depth: usize) -> Result<Value, Malformed> {
        self.values += 1;
        if depth > DEPTH_MAX || self.values > VALUES_MAX {
            return Err(Malformed(format!("more than {VALUES_MAX} values, or {DEPTH_MAX} within each other")));
        }
        let kind = match self.next()? {
            Token::Open(kind) => kind,
            // without a type it is a text
            Token::Close(_) => return Ok(Value::Text(std::mem::take(&mut self.text))),
            Token::End => return Err(unexpected("a value", &Token::End)),
        };
        let value = match kind.as_str() {
            "array" => self.array(depth)?,
            "struct" => self.members(depth)?,
            _ => {
                self.close(&kind)?;
                scalar(&kind, std::mem::take(&mut self.text))?
            }
        };
        self.close("value")?;
        Ok(value)
    }

    fn array(&mut self, depth: usize) -> Result<Value, Malformed> {
        self.open("data")?;
        let mut items = Vec::new();
        loop {
            match self.next()? {
                Token::Open(name) if name == "value" => items.push(self.value(depth + 1)?),
                Token::Close(_) => break,
                other => return Err(unexpected("a value of an array", &other)),
            }
        }
        self.close("array")?;
        Ok(Value::Array(items))
    }

    fn members(&mut self, depth: usize) -> Result<Value, Malformed> {
        let mut members = BTreeMap::new();
        loop {
            match self.next()? {
                Token::Open(name) if name == "member" => {}
                Token::Close(_) => return Ok(Value::Struct(members)),
                other => return Err(unexpected("a member of a struct", &other)),
            }
            self.open("name")?;
            self.close("name")?;
            let name = std::mem::take(&mut self.text);
            self.open("value")?;
            let value = self.value(depth + 1)?;
            self.close("member")?;
            members.insert(name, value);
        }
    }
}

fn scalar(kind: &str, text: String) -> Result<Value, Malformed> {
    let number = text.trim();
    let wrong = || Malformed(format!("`{}` is no {kind}", number.chars().take(40).collect::<String>()));
    Ok(match kind {
        "int" | "i4" | "i8" => Value::Int(number.parse().map_err(|_| wrong())?),
        "double" => Value::Double(number.parse().map_err(|_| wrong())?),
        "boolean" => Value::Bool(match number {
            "1" => true,
            "0" => false,
            _ => return Err(wrong()),
        }),
        "string" | "base64" | "dateTime.iso8601" => Value::Text(text),
        "nil" => Value::Nil,
        _ => {
            return Err(Malformed(format!(
                "a value of the unknown type `{}`",
                kind.chars().take(40).collect::<String>()
            )));
        }
    })
}

fn name(qualified: &str) -> String {
    // Apache's extensions have a prefix
    qualified.rsplit(':').next().unwrap_or(qualified).to_owned()
}

fn character(reference: &quick_xml::events::BytesRef<'_>) -> Result<char, Malformed> {
    if let Some(found) = reference.resolve_char_ref().map_err(broken)? {
        return Ok(found);
    }
    let known = [("lt", '<'), ("gt", '>'), ("amp", '&'), ("quot", '"'), ("apos", '\'')];
    let found = known.iter().find(|(name, _)| *name == &**reference);
    found.map(|(_, c)| *c).ok_or_else(|| Malformed("it has an entity of its own".to_owned()))
}

fn broken(error: quick_xml::Error) -> Malformed {
    Malformed(error.to_string().chars().take(ERROR_CHARS_MAX).collect())
}

fn unexpected(wanted: &str, found: &Token) -> Malformed {
    let found = match found {
        Token::Open(name) => format!("<{}>", name.chars().take(40).collect::<String>()),
        Token::Close(name) => format!("</{}>", name.chars().take(40).collect::<String>()),
        Token::End => "its end".to_owned(),
    };
    Malformed(format!("{wanted} was expected and {found} found"))
}

#[cfg(test)]
#[path = "xml_rpc_tests.rs"]
mod tests;
