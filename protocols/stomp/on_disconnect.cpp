// DISCONNECT: the receipt says that everything before was handled, so it waits for all of it.
#include "protocols/stomp/engine.hpp"

namespace broker::stomp {

void engine::on_disconnect(const frame& f) {
    transactions_.clear(); // [STOMP12-BEGIN-3]
    receipt(f, last_ticket_); // [STOMP12-DISCONNECT-2]
    leaving_ = true;
    leave_when_done();
}

} // namespace broker::stomp
