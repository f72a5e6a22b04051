//! The calls to systemd's manager: start a scope, change its properties, stop it. Used by the driver alone; it knows
//! nothing of limits, and waits for each job's end.

use std::path::Path;

use crate::cgroup::systemd::bus::{Bus, BusError};
use crate::cgroup::systemd::properties::{Property, Value};
use crate::cgroup::systemd::wire::{Method, Writer};

const SYSTEM_BUS: &str = "/run/dbus/system_bus_socket";
/// systemd's own socket, for root alone: what there is without a bus, as runc takes it.
const PRIVATE: &str = "/run/systemd/private";
const SYSTEMD: &str = "org.freedesktop.systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const OBJECT: &str = "/org/freedesktop/systemd1";
const JOBS: &str = "type='signal',sender='org.freedesktop.systemd1',path='/org/freedesktop/systemd1',\
                    interface='org.freedesktop.systemd1.Manager',member='JobRemoved'";

const NO_SUCH_UNIT: &str = "org.freedesktop.systemd1.NoSuchUnit";
const UNIT_EXISTS: &str = "org.freedesktop.systemd1.UnitExists";

/// A conversation with systemd.
#[derive(Debug)]
pub(super) struct Manager {
    bus: Bus,
    destination: Option<&'static str>,
}

impl Manager {
    /// Through the system bus, or where there is none, directly.
    pub(super) fn connect() -> Result<Self, BusError> {
        let mut manager = match Bus::connect(Path::new(SYSTEM_BUS)) {
            Ok(mut bus) => {
                bus.enter(JOBS)?;
                Self { bus, destination: Some(SYSTEMD) }
            }
            Err(no_bus) => match Bus::connect(Path::new(PRIVATE)) {
                Ok(bus) => Self { bus, destination: None },
                Err(_neither) => return Err(no_bus),
            },
        };
        // Without a subscriber systemd sends no signals at all.
        manager.bus.call(manager.method("Subscribe"), "", Writer::default())?;
        Ok(manager)
    }

    fn method(&self, member: &'static str) -> Method<'static> {
        Method { destination: self.destination, path: OBJECT, interface: MANAGER, member }
    }

    /// The first number of systemd's version.
    pub(super) fn version(&mut self) -> Result<u32, BusError> {
        let method = Method { interface: "org.freedesktop.DBus.Properties", ..self.method("Get") };
        let mut body = Writer::default();
        body.text(MANAGER);
        body.text("Version");
        let reply = self.bus.call(method, "ss", body)?;
        let mut reader = reply.body();
        let text = reader.signature().filter(|kind| *kind == "s").and_then(|_| reader.text());
        let number = text.map(|text| text.chars().skip_while(|c| !c.is_ascii_digit()));
        let digits = number.map(|rest| rest.take_while(char::is_ascii_digit).collect::<String>());
        digits.and_then(|digits| digits.parse().ok()).ok_or_else(|| BusError::Protocol { member: "Version".into() })
    }

    /// Starts a transient unit, and waits until it is there. What an earlier owner of the name left in the state
    /// "failed" is put away first.
    pub(super) fn start(&mut self, unit: &str, properties: &[Property]) -> Result<(), BusError> {
        match self.start_once(unit, properties) {
            Err(BusError::Refused { name, .. }) if name == UNIT_EXISTS => {
                self.reset_failed(unit)?;
                self.start_once(unit, properties)
            }
            done => done,
        }
    }

    fn start_once(&mut self, unit: &str, properties: &[Property]) -> Result<(), BusError> {
        let mut body = Writer::default();
        body.text(unit);
        body.text("fail");
        write_properties(&mut body, properties);
        // No auxiliary units.
        body.array(8, |_none| {});
        let reply = self.bus.call(self.method("StartTransientUnit"), "ssa(sv)a(sa(sv))", body)?;
        match self.end_of_job(reply.body().text(), "StartTransientUnit")?.as_str() {
            "done" => Ok(()),
            result => Err(BusError::Refused {
                member: "StartTransientUnit".into(),
                name: result.to_owned(),
                message: format!("systemd could not start {unit}"),
            }),
        }
    }

    /// Changes properties of a unit until the next boot.
    pub(super) fn set(&mut self, unit: &str, properties: &[Property]) -> Result<(), BusError> {
        if properties.is_empty() {
            return Ok(());
        }
        let mut body = Writer::default();
        body.text(unit);
        body.u32(1);
        write_properties(&mut body, properties);
        self.bus.call(self.method("SetUnitProperties"), "sba(sv)", body).map(drop)
    }

    /// Stops a unit and forgets that it failed. That systemd does not know it (any more) is success: a scope ends by
    /// itself with its last process.
    pub(super) fn stop(&mut self, unit: &str) -> Result<(), BusError> {
        let mut body = Writer::default();
        body.text(unit);
        body.text("replace");
        match self.bus.call(self.method("StopUnit"), "ss", body) {
            Ok(reply) => drop(self.end_of_job(reply.body().text(), "StopUnit")?),
            Err(BusError::Refused { name, .. }) if name == NO_SUCH_UNIT => return Ok(()),
            Err(error) => return Err(error),
        }
        self.reset_failed(unit)
    }

    fn reset_failed(&mut self, unit: &str) -> Result<(), BusError> {
        let mut body = Writer::default();
        body.text(unit);
        match self.bus.call(self.method("ResetFailedUnit"), "s", body) {
            Ok(_) => Ok(()),
            Err(BusError::Refused { name, .. }) if name == NO_SUCH_UNIT => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Waits for `JobRemoved(id, job, unit, result)` of the job; returns the result.
    fn end_of_job(&mut self, job: Option<&str>, member: &str) -> Result<String, BusError> {
        let job = job.ok_or_else(|| BusError::Protocol { member: member.to_owned() })?;
        self.bus.signal("JobRemoved", |message| {
            let mut reader = message.body();
            reader.u32()?;
            let ours = reader.text()? == job;
            reader.text()?;
            let result = reader.text()?;
            ours.then(|| result.to_owned())
        })
    }
}

/// `a(sv)`.
fn write_properties(body: &mut Writer, properties: &[Property]) {
    body.array(8, |list| {
        for property in properties {
            list.structure();
            list.text(property.name);
            match &property.value {
                Value::Text(text) => {
                    list.signature("s");
                    list.text(text);
                }
                Value::Flag(set) => {
                    list.signature("b");
                    list.u32(u32::from(*set));
                }
                Value::Number(number) => {
                    list.signature("t");
                    list.u64(*number);
                }
                Value::Processes(pids) => {
                    list.signature("au");
                    list.array(4, |pids_of| pids.iter().for_each(|pid| pids_of.u32(*pid)));
                }
                Value::Bits(bytes) => {
                    list.signature("ay");
                    list.array(1, |bits| bytes.iter().for_each(|byte| bits.byte(*byte)));
                }
            }
        }
    });
}

#[cfg(test)]
mod tests;
