//! MessagePack, as gomemcached stores values.

use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyOverflowError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

/// How deep lists and dicts may lie in each other.
const DEPTH: usize = 128;

/// Writes `None`, truth values, integers, floats, texts, bytes, lists, tuples and dicts.
#[pyfunction]
#[pyo3(name = "_pack")]
pub(crate) fn pack<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    let mut bytes = Vec::new();
    write(&mut bytes, value, DEPTH)?;
    Ok(PyBytes::new(value.py(), &bytes))
}

/// Reads what was written so, by whomever.
#[pyfunction]
#[pyo3(name = "_unpack")]
pub(crate) fn unpack<'py>(value: &Bound<'py, PyBytes>) -> PyResult<Bound<'py, PyAny>> {
    let mut rest = Rest(value.as_bytes());
    let read = rest.read(value.py(), DEPTH)?;
    if rest.0.is_empty() { Ok(read) } else { Err(damaged()) }
}

fn damaged() -> PyErr {
    // What it holds is not repeated.
    PyValueError::new_err("the value is no MessagePack")
}

fn too_deep() -> PyErr {
    PyValueError::new_err("the value's lists and dicts lie too deep in each other")
}

/// The signs before something of a length: with one, two and four bytes for it.
struct Signs(u8, u8, u8);

const TEXT: Signs = Signs(0xd9, 0xda, 0xdb);
const BYTES: Signs = Signs(0xc4, 0xc5, 0xc6);

fn write(to: &mut Vec<u8>, value: &Bound<'_, PyAny>, depth: usize) -> PyResult<()> {
    let deeper = depth.checked_sub(1).ok_or_else(too_deep)?;
    if value.is_none() {
        to.push(0xc0);
    } else if let Ok(is_so) = value.cast::<PyBool>() {
        to.push(if is_so.is_true() { 0xc3 } else { 0xc2 });
    } else if value.is_instance_of::<PyInt>() {
        write_integer(to, value)?;
    } else if let Ok(float) = value.cast::<PyFloat>() {
        to.push(0xcb);
        to.extend(float.value().to_be_bytes());
    } else if let Ok(text) = value.cast::<PyString>() {
        let text = text.to_cow()?;
        match u8::try_from(text.len()) {
            Ok(short) if short < 32 => to.push(0xa0 | short),
            _ => write_length(to, text.len(), Some(TEXT.0), TEXT.1, TEXT.2)?,
        }
        to.extend(text.as_bytes());
    } else if let Ok(bytes) = value.cast::<PyBytes>() {
        write_length(to, bytes.as_bytes().len(), Some(BYTES.0), BYTES.1, BYTES.2)?;
        to.extend(bytes.as_bytes());
    } else if let Ok(list) = value.cast::<PyList>() {
        write_few(to, list.len(), 0x90, 0xdc, 0xdd)?;
        list.iter().try_for_each(|item| write(to, &item, deeper))?;
    } else if let Ok(tuple) = value.cast::<PyTuple>() {
        write_few(to, tuple.len(), 0x90, 0xdc, 0xdd)?;
        tuple.iter().try_for_each(|item| write(to, &item, deeper))?;
    } else if let Ok(dict) = value.cast::<PyDict>() {
        write_few(to, dict.len(), 0x80, 0xde, 0xdf)?;
        for (name, item) in dict.iter() {
            write(to, &name, deeper)?;
            write(to, &item, deeper)?;
        }
    } else {
        let class = value.get_type().name()?;
        return Err(PyTypeError::new_err(format!("{class} can't be written as MessagePack")));
    }
    Ok(())
}

fn write_integer(to: &mut Vec<u8>, value: &Bound<'_, PyAny>) -> PyResult<()> {
    if let Ok(number) = value.extract::<u64>() {
        match (u8::try_from(number), u16::try_from(number), u32::try_from(number)) {
            (Ok(number), ..) if number < 0x80 => to.push(number),
            (Ok(number), ..) => to.extend([0xcc, number]),
            (_, Ok(number), _) => to.extend([&[0xcd][..], &number.to_be_bytes()].concat()),
            (_, _, Ok(number)) => to.extend([&[0xce][..], &number.to_be_bytes()].concat()),
            _ => to.extend([&[0xcf][..], &number.to_be_bytes()].concat()),
        }
        return Ok(());
    }
    let number: i64 = value.extract().map_err(|_| PyOverflowError::new_err("the integer has more than 64 bits"))?;
    match (i8::try_from(number), i16::try_from(number), i32::try_from(number)) {
        (Ok(number), ..) if number >= -32 => to.extend(number.to_be_bytes()),
        (Ok(number), ..) => to.extend([&[0xd0][..], &number.to_be_bytes()].concat()),
        (_, Ok(number), _) => to.extend([&[0xd1][..], &number.to_be_bytes()].concat()),
        (_, _, Ok(number)) => to.extend([&[0xd2][..], &number.to_be_bytes()].concat()),
        _ => to.extend([&[0xd3][..], &number.to_be_bytes()].concat()),
    }
    Ok(())
}

/// The length of a list or a dict, which fits into its sign if there are few.
fn write_few(to: &mut Vec<u8>, length: usize, few: u8, two: u8, four: u8) -> PyResult<()> {
    match u8::try_from(length) {
        Ok(length) if length < 16 => {
            to.push(few | length);
            Ok(())
        }
        _ => write_length(to, length, None, two, four),
    }
}

fn write_length(to: &mut Vec<u8>, length: usize, one: Option<u8>, two: u8, four: u8) -> PyResult<()> {
    match (one, u8::try_from(length), u16::try_from(length), u32::try_from(length)) {
        (Some(sign), Ok(length), ..) => to.extend([sign, length]),
        (_, _, Ok(length), _) => to.extend([&[two][..], &length.to_be_bytes()].concat()),
        (_, _, _, Ok(length)) => to.extend([&[four][..], &length.to_be_bytes()].concat()),
        _ => return Err(PyOverflowError::new_err("the value is too long for MessagePack")),
    }
    Ok(())
}

/// What has not been read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, length: usize) -> PyResult<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(damaged)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const LENGTH: usize>(&mut self) -> PyResult<[u8; LENGTH]> {
        self.take(LENGTH)?.try_into().map_err(|_| damaged())
    }

    fn one(&mut self) -> PyResult<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn two(&mut self) -> PyResult<usize> {
        self.array().map(|bytes| u16::from_be_bytes(bytes).into())
    }

    fn four(&mut self) -> PyResult<usize> {
        usize::try_from(u32::from_be_bytes(self.array()?)).map_err(|_| damaged())
    }

    fn read<'py>(&mut self, py: Python<'py>, depth: usize) -> PyResult<Bound<'py, PyAny>> {
        let depth = depth.checked_sub(1).ok_or_else(too_deep)?;
        match self.one()? {
            sign @ 0x00..=0x7f => python(py, sign),
            sign @ 0x80..=0x8f => self.dict(py, (sign & 0x0f).into(), depth),
            sign @ 0x90..=0x9f => self.list(py, (sign & 0x0f).into(), depth),
            sign @ 0xa0..=0xbf => self.text(py, (sign & 0x1f).into()),
            0xc0 => Ok(py.None().into_bound(py)),
            0xc2 => python(py, false),
            0xc3 => python(py, true),
            0xc4 => self.one().and_then(|length| self.bytes(py, length.into())),
            0xc5 => self.two().and_then(|length| self.bytes(py, length)),
            0xc6 => self.four().and_then(|length| self.bytes(py, length)),
            0xca => python(py, f32::from_be_bytes(self.array()?)),
            0xcb => python(py, f64::from_be_bytes(self.array()?)),
            sign @ 0xcc..=0xd3 => self.integer(py, sign),
            0xd9 => self.one().and_then(|length| self.text(py, length.into())),
            0xda => self.two().and_then(|length| self.text(py, length)),
            0xdb => self.four().and_then(|length| self.text(py, length)),
            0xdc => self.two().and_then(|length| self.list(py, length, depth)),
            0xdd => self.four().and_then(|length| self.list(py, length, depth)),
            0xde => self.two().and_then(|length| self.dict(py, length, depth)),
            0xdf => self.four().and_then(|length| self.dict(py, length, depth)),
            sign @ 0xe0..=0xff => python(py, i8::from_be_bytes([sign])),
            _ => Err(PyValueError::new_err("the value holds an extension of MessagePack, which is not known here")),
        }
    }

    fn integer<'py>(&mut self, py: Python<'py>, sign: u8) -> PyResult<Bound<'py, PyAny>> {
        match sign {
            0xcc => python(py, self.one()?),
            0xcd => python(py, u16::from_be_bytes(self.array()?)),
            0xce => python(py, u32::from_be_bytes(self.array()?)),
            0xcf => python(py, u64::from_be_bytes(self.array()?)),
            0xd0 => python(py, i8::from_be_bytes(self.array()?)),
            0xd1 => python(py, i16::from_be_bytes(self.array()?)),
            0xd2 => python(py, i32::from_be_bytes(self.array()?)),
            _ => python(py, i64::from_be_bytes(self.array()?)),
        }
    }

    fn text<'py>(&mut self, py: Python<'py>, length: usize) -> PyResult<Bound<'py, PyAny>> {
        let text = std::str::from_utf8(self.take(length)?).map_err(|_| damaged())?;
        Ok(PyString::new(py, text).into_any())
    }

    fn bytes<'py>(&mut self, py: Python<'py>, length: usize) -> PyResult<Bound<'py, PyAny>> {
        Ok(PyBytes::new(py, self.take(length)?).into_any())
    }

    fn list<'py>(&mut self, py: Python<'py>, length: usize, depth: usize) -> PyResult<Bound<'py, PyAny>> {
        let list = PyList::empty(py);
        for _ in 0..length {
            list.append(self.read(py, depth)?)?;
        }
        Ok(list.into_any())
    }

    fn dict<'py>(&mut self, py: Python<'py>, length: usize, depth: usize) -> PyResult<Bound<'py, PyAny>> {
        let dict = PyDict::new(py);
        for _ in 0..length {
            dict.set_item(self.read(py, depth)?, self.read(py, depth)?)?;
        }
        Ok(dict.into_any())
    }
}

fn python<'py>(py: Python<'py>, value: impl IntoPyObjectExt<'py>) -> PyResult<Bound<'py, PyAny>> {
    value.into_bound_py_any(py)
}
