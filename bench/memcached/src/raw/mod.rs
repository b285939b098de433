//! A client that is none: it sends what was made before, and compares what comes back, byte by byte.

mod line;
mod speech;

use std::time::Instant;

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;

use self::line::Line;
use self::speech::Speech;
use crate::figures::{Figures, Usage};
use crate::items::{Choice, items};
use crate::{Error, Options, Protocol, WARM_UP, Work};

/// How many items are set at a time where all are set once.
const FILL_STEP: u32 = 500;

/// Sets every item once.
pub(crate) fn fill(options: &Options) -> Result<(), Error> {
    let mut first = 0;
    while first < options.items {
        let last = options.items.min(first + FILL_STEP);
        let speech = Speech::sets(Protocol::Binary, &items(first..last));
        let mut line = Line::connect(options.server, Protocol::Binary)?;
        line.ask(&speech, 0..(last - first) as usize);
        line.send()?;
        while line.receive()? == 0 {}
        first = last;
    }
    Ok(())
}

/// Loads a server by so many connections on one thread, on each of which so many calls are in flight.
pub(crate) fn measure(options: &Options) -> Result<Figures, Error> {
    let items = items(0..options.items);
    let gets = Speech::gets(options.protocol, options.keys > 1, &items);
    let sets = Speech::sets(options.protocol, &items);
    let mut load = Load { options, items: items.len(), gets, sets };
    load.run()
}

struct Load<'a> {
    options: &'a Options,
    items: usize,
    gets: Speech,
    sets: Speech,
}

impl Load<'_> {
    fn run(&mut self) -> Result<Figures, Error> {
        let mut lines = Vec::new();
        for number in 0..self.options.connections {
            let mut line = (Line::connect(self.options.server, self.options.protocol)?, Choice::new(number));
            self.ask(&mut line, self.options.callers.into())?;
            lines.push(line);
        }
        let mut ready = Ready::new(&lines)?;
        self.until(&mut lines, &mut ready, Instant::now() + WARM_UP)?;
        let before = Usage::now(self.options);
        let calls = self.until(&mut lines, &mut ready, Instant::now() + self.options.time())?;
        let after = Usage::now(self.options);
        Ok(Figures::new(calls * u64::from(self.options.keys), &before, &after))
    }

    /// Sends again whatever has been answered until then, and says how many calls that were.
    fn until<'s>(&'s self, lines: &mut [(Line<'s>, Choice)], ready: &mut Ready, end: Instant) -> Result<u64, Error> {
        let mut answered = 0;
        while Instant::now() < end {
            for &at in ready.wait()? {
                let line = &mut lines[at];
                let calls = line.0.receive()?;
                self.ask(line, calls)?;
                answered += calls as u64;
            }
        }
        Ok(answered)
    }

    /// Makes so many calls, in one piece.
    fn ask<'s>(&'s self, (line, choice): &mut (Line<'s>, Choice), calls: usize) -> Result<(), Error> {
        for _ in 0..calls {
            let (places, is_get) = choice.next(self.options.keys.into(), self.items);
            let gets = if self.options.work == Work::Mixed { is_get } else { self.options.work == Work::Get };
            line.ask(if gets { &self.gets } else { &self.sets }, places);
        }
        Ok(line.send()?)
    }
}

/// Which connections have something to read. Where there is one, nobody has to ask: reading waits.
struct Ready {
    poll: Option<rustix::fd::OwnedFd>,
    events: Vec<epoll::Event>,
    places: Vec<usize>,
}

impl Ready {
    fn new(lines: &[(Line<'_>, Choice)]) -> Result<Self, Error> {
        let events = Vec::with_capacity(lines.len());
        if lines.len() == 1 {
            return Ok(Self { poll: None, events, places: vec![0] });
        }
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for (at, (line, _)) in lines.iter().enumerate() {
            epoll::add(&poll, line.stream(), EventData::new_u64(at as u64), EventFlags::IN)?;
        }
        Ok(Self { poll: Some(poll), events, places: Vec::new() })
    }

    fn wait(&mut self) -> Result<&[usize], Error> {
        if let Some(poll) = &self.poll {
            self.events.clear();
            match epoll::wait(poll, rustix::buffer::spare_capacity(&mut self.events), None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            self.places.clear();
            let places = self.events.iter().map(|event| usize::try_from(event.data.u64()).unwrap_or_default());
            self.places.extend(places);
        }
        Ok(&self.places)
    }
}
