//! Messages as `Any`, the way containerd's typeurl package has them.

use containerd_shim::protos::protobuf::{MessageFull, well_known_types::any::Any};

/// A message as containerd's typeurl writes it: the bare name, without a host before it.
pub(crate) fn any<M: MessageFull>(message: &M) -> Result<Any, containerd_shim::protos::protobuf::Error> {
    Ok(Any { type_url: M::descriptor().full_name().to_owned(), value: message.write_to_bytes()?, ..Any::default() })
}
