//! What errors say of regions and stores.

use charioteer_proto::tikv::errorpb;
use charioteer_proto::tikv::metapb::{self, RegionEpoch};
use tracing::debug;

use super::lesson::{self, Action, Lesson};
use super::place::Manner;
use super::regions::Regions;
use super::store::Stores;
use super::{Locator, Place, Region};

impl Locator {
    /// Takes note of what an error says of the region, and tells what follows for the caller.
    pub(crate) fn learn(&self, place: &Place, error: &errorpb::Error) -> Lesson {
        let action = lesson::action(error);
        let lesson = lesson::lesson(error, action);
        debug!(region = place.region_id(), peer = %place.store().peer(), ?action, ?error, "an error of a region");
        match action {
            Action::Nothing => lesson,
            Action::Doubt => {
                Regions::doubt(&place.region);
                lesson
            }
            Action::NextPeer => {
                self.next_peer(place);
                lesson
            }
            Action::ToLeader if place.manner == Manner::AsLeader => lesson,
            Action::ToLeader => {
                place.region.prefer_leader();
                lesson.at_once()
            }
            Action::StoreMoved => {
                Stores::doubt(&place.store);
                Regions::doubt(&place.region);
                lesson
            }
            Action::Leader => {
                self.leader_is(place, error.not_leader.and_then(|told| told.leader));
                lesson
            }
            Action::Regions => self.regions_are(place, error.epoch_not_match.as_ref(), lesson),
        }
    }

    /// Takes note that the store did not answer, or that the connection to it was lost. The region's next peer is asked, which knows who
    /// leads now.
    pub(crate) fn store_failed(&self, place: &Place) {
        self.0.stores.lost(&self.0.pd, &place.store);
        if place.manner == Manner::AsLeader {
            self.next_peer(place);
        }
    }

    /// Has the region's next peer asked, or PD when all of them have been.
    fn next_peer(&self, place: &Place) {
        let region = &place.region;
        let passed = region.passed + 1;
        if passed >= region.candidates() {
            Regions::doubt(region);
        } else {
            self.0.regions.ask(region, region.next_peer(), None, passed);
        }
    }

    fn leader_is(&self, place: &Place, leader: Option<metapb::Peer>) {
        let region = &place.region;
        let at = leader.and_then(|leader| region.peers.iter().position(|peer| peer.id == leader.id));
        match at {
            // Who says that it does not lead, and names itself, is about to lead.
            Some(at) => self.0.regions.ask(region, at, Some(at), 0),
            // A peer that has come since: PD knows where it is.
            None => Regions::doubt(region),
        }
    }

    fn regions_are(&self, place: &Place, told: Option<&errorpb::EpochNotMatch>, lesson: Lesson) -> Lesson {
        let told = told.map_or(&[][..], |told| &told.current_regions[..]);
        let region = &place.region;
        if told.iter().any(|other| other.id == region.id && is_before(other.region_epoch, region.epoch)) {
            // The peer has not heard of the change that made the region what it is known as.
            return Lesson { same_region: true, ..lesson };
        }
        Regions::doubt(region);
        let leads = region.leader.map_or_else(|| place.peer(), |leader| region.peers[leader]).store_id;
        let split_off = told.iter().map(|other| Region::split_off(other, leads, self.0.layout));
        // What can't be read is asked for at PD.
        for region in split_off.flatten() {
            self.0.regions.insert(region);
        }
        lesson.at_once()
    }
}

fn is_before(told: Option<RegionEpoch>, known: RegionEpoch) -> bool {
    let told = told.unwrap_or_default();
    told.version < known.version || told.conf_ver < known.conf_ver
}
