//! A timestamp that somebody outside keeps here: reads of followers are told to be at it.

use std::sync::Arc;

use charioteer_engine::Error;
use charioteer_proto::tikv::pdpb;

use super::Pd;
use super::remembered::Remembered;
use crate::grpc::{Code, Status};
use crate::tikv::cluster::{Ledger, Number};

/// The timestamp; 0 if there is none.
pub(super) type ExternalTimestamp = Arc<Remembered<u64>>;

/// Why it was not changed.
#[derive(Debug)]
enum SetError {
    NotGreater,
    Store(Error),
}

impl From<Error> for SetError {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

pub(super) fn open(ledger: &Ledger) -> Result<ExternalTimestamp, Error> {
    Ok(Remembered::new(ledger, ledger.number(Number::ExternalTimestamp)?.unwrap_or_default()))
}

impl Pd {
    pub(crate) async fn get_external_timestamp(
        &self,
        request: pdpb::GetExternalTimestampRequest,
    ) -> Result<pdpb::GetExternalTimestampResponse, Status> {
        self.check(request.header.as_ref())?;
        let timestamp = *self.external_timestamp.now();
        Ok(pdpb::GetExternalTimestampResponse { header: self.header(), timestamp })
    }

    /// Sets it, to one that is greater than it was and no greater than now.
    pub(crate) async fn set_external_timestamp(
        &self,
        request: pdpb::SetExternalTimestampRequest,
    ) -> Result<pdpb::SetExternalTimestampResponse, Status> {
        self.check(request.header.as_ref())?;
        let (wanted, now) = (request.timestamp, u64::from(self.tso.next(1).await?));
        let refused = |why: &str| self.failure(pdpb::ErrorType::InvalidValue, why);
        if wanted > now {
            let header = refused("the external timestamp should not be larger than global ts");
            return Ok(pdpb::SetExternalTimestampResponse { header });
        }
        let set = self.external_timestamp.change(move |timestamp, page| {
            if wanted <= *timestamp {
                return Err(SetError::NotGreater);
            }
            *timestamp = wanted;
            page.put_number(Number::ExternalTimestamp, wanted);
            Ok(())
        });
        let header = match set.await {
            Ok(()) => self.header(),
            Err(SetError::NotGreater) => {
                refused("the external timestamp should be larger than current external timestamp")
            }
            Err(SetError::Store(error)) => return Err(Status::new(Code::Unavailable, error.to_string())),
        };
        Ok(pdpb::SetExternalTimestampResponse { header })
    }
}
