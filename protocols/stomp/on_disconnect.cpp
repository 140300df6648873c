// DISCONNECT [STOMP12 §DISCONNECT]: the receipt says that everything before was handled, so it waits for its tickets.
#include "protocols/stomp/engine.hpp"

namespace broker::stomp {

void engine::on_disconnect(const frame& f) {
    receipt(f, ticket{});
    leaving_ = true;
    leave_when_done();
}

} // namespace broker::stomp
