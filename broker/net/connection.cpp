#include "net/connection.hpp"

#include "net/opening.hpp"
#include "net/tls_endpoint.hpp"
#include "protocols/websocket/close_code.hpp"
#include "protocols/websocket/decode.hpp"
#include "protocols/websocket/deflate_channel.hpp"
#include "protocols/websocket/encode.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <array>

#include <unistd.h>

namespace broker {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr int reads_per_turn = 4;                  // then others have their turn
constexpr seconds linger{2};                       // for the peer's side of a close
constexpr std::size_t control_frames_bytes_max = 64 * 1024; // pongs owed to a peer that does not read

security::ip_endpoint endpoint_of(const tcp::endpoint& peer) {
    const auto address = peer.address();
    const auto v6 = address.is_v4() ? asio::ip::make_address_v6(asio::ip::v4_mapped, address.to_v4()) : address.to_v6();
    return {security::ip_address::from_bytes(v6.to_bytes()), peer.port()};
}

} // namespace

std::string_view scheme(listener_kind kind, bool over_tls) {
    switch (kind) {
    case listener_kind::websocket: return over_tls ? "wss" : "ws";
    case listener_kind::mqtt: return over_tls ? "mqtts" : "mqtt";
    case listener_kind::stomp: return over_tls ? "stomps" : "stomp";
    case listener_kind::tcp: return over_tls ? "tls" : "tcp";
    }
    return "tcp";
}

class connection final : public shard_connection,
                         private outbox_listener,
                         private client_id_source,
                         private websocket::frame_handler {
public:
    connection(shard& on, int socket, const security::ip_endpoint& peer, const listener_info& from, connection_environment& environment,
               doorkeeper::guest guest)
        : shard_{on}, info_{from}, environment_{environment}, stream_{socket}, guest_{std::move(guest)}, client_{peer},
          id_{environment.next_id.fetch_add(1, std::memory_order_relaxed)},
          out_{on.blocks(), on.bounds().outbox_bytes_max}, decoder_{on.bounds().max_message_bytes},
          connected_at_{on.now()} {
        out_.tell(this);
    }
    ~connection() override {
        disconnect_engine();
    }

    void start() {
        const auto now = shard_.now();
        if (!shard_.watch(*this, stream_.fd())) return vanish({.cause = close_cause::overload, .detail = "the kernel watches no more sockets"});
        last_read_ = now;
        deadline_ = now + shard_.bounds().handshake_timeout;
        opening_ = std::make_unique<opening>(stream_, info_, shard_.bounds(),
                                             environment_.access == nullptr ? nullptr : &environment_.access->set().sources, client_,
                                             environment_.door, guest_);
        (void)open();
        if (phase_ == phase::gone) return;
        watch_deadline();
        wait_readable();
    }

    // --- shard_connection ---

    void on_events(const socket_events& what) override {
        stream_.became(what);
        if ((reading_ && has_input()) || (writing_ && stream_.can_write())) shard_.make_ready(*this);
    }
    void on_ready(time_point now) override;
    void end_of_turn(time_point now) override;
    void on_durable(ticket upto, time_point now) override {
        if (engine_) engine_->on_durable(upto, now);
        waiting_for_ticket_ = false;
        watch_ticket();
    }
    void on_deadline(time_point now) override;
    void on_uncongested() override;
    void on_new_rules(time_point now) override;
    void shut_down(const close_reason& why, time_point now) override {
        if (phase_ == phase::gone || phase_ == phase::draining) return;
        if (engine_) {
            engine_->close(why, now);
            out_.touch();
        } else {
            vanish(why);
        }
    }
    [[nodiscard]] const broker::engine* engine() const override { return engine_.get(); }
    [[nodiscard]] connection_id id() const override { return id_; }
    [[nodiscard]] connection_summary summary() const;
    [[nodiscard]] std::optional<result<time_point, close_cause>> renew_token(std::string_view token);

private:
    enum class phase : std::uint8_t { opening, open, draining, gone };

    // --- reading ---
    [[nodiscard]] bool open(); // false: it waits, or is gone
    [[nodiscard]] bool opened();
    void wait_readable();
    void stop_reading();
    void stop_or_read_on();
    void stall(); // until on_uncongested()
    void read_on(); // unless what this one makes more of is behind: then the shard says when
    [[nodiscard]] bool is_held_back() const;
    [[nodiscard]] bool is_over_rate() const { return meter() != nullptr && meter()->exhausted(); }
    void answer_for_rate(); // what it has published more than it may
    void on_readable();
    void feed(std::span<std::uint8_t> bytes);
    [[nodiscard]] bool has_input() const { return stream_.can_read() || has_kept(); }
    [[nodiscard]] bool has_kept() const { return phase_ == phase::open && deflate_ && deflate_->has_kept(); }

    // --- websocket::frame_handler ---
    void on_data(byte_view piece, websocket::message_kind kind, bool begins, bool ends) override;
    void on_ping(byte_view payload) override;
    void on_pong(byte_view payload) override;
    void on_close(std::uint16_t code, std::string_view reason) override;
    [[nodiscard]] bool takes_more() const override { return phase_ == phase::open && !engine_->closing() && !engine_->paused(); }

    // --- outbox_listener ---
    void on_output() override { shard_.schedule_end_of_turn(*this); }

    // --- client_id_source ---
    [[nodiscard]] std::string new_client_id() override {
        return fmt::format("{}-{:x}", environment_.node_name, shard_.core().desk().next_id());
    }

    void set_engine(engine_maker make, const std::string& identity, security::credentials request);
    void begin_draining(const close_reason& why, std::uint16_t code, std::string_view text);
    void close_frame(std::uint16_t code, std::string_view text);
    bool write();
    void wait_writable();
    void finish_writing();
    void lost(const error_code& ec); // the socket failed or ended
    void vanish(const close_reason& why);
    void disconnect_engine();
    void judge(admission::answer given); // of who is in
    void count_packets();
    void watch_ticket();
    void watch_deadline();
    [[nodiscard]] time_point next_deadline() const;
    [[nodiscard]] publish_meter* meter() const { return gate_ ? gate_->meter() : nullptr; }
    [[nodiscard]] bool framed() const { return info_.kind == listener_kind::websocket; }

    // In the order of size: there may be a million of them.
    shard& shard_;
    const listener_info& info_;
    connection_environment& environment_;
    socket_stream stream_;
    doorkeeper::guest guest_;
    security::ip_endpoint client_; // behind proxies that are believed
    phase phase_ = phase::opening;
    bool stalled_ : 1 = false;            // the shard knows that it waits
    bool storing_ : 1 = false;            // what it was last read left something to the store
    bool reading_ : 1 = false;            // a readable wait is under way
    bool unread_ : 1 = false;             // we do not read: what the peer says meanwhile is not missed
    bool writing_ : 1 = false;            // a writable wait is under way: the socket is full
    bool half_closed_ : 1 = false;        // our sending side is shut
    bool close_sent_ : 1 = false;         // WebSocket close frame
    bool waiting_for_ticket_ : 1 = false;
    bool pinged_ : 1 = false;             // since the last byte read
    bool limited_ : 1 = false;            // the outbox was over its limit
    bool over_rate_ : 1 = false;          // it has been told, or counted
    connection_id id_;
    std::unique_ptr<websocket::deflate_channel> deflate_; // null: messages are as they are
    outbox out_;
    std::unique_ptr<gate> gate_; // null: nobody has to prove who he is, nothing is measured, and no certificate was shown
    std::unique_ptr<opening> opening_; // until the protocol is known
    std::unique_ptr<broker::engine> engine_;
    std::unique_ptr<const close_reason> why_; // null: it is not closing
    websocket::decoder decoder_;
    time_point connected_at_;
    time_point last_read_;
    time_point last_progress_;        // of writing, while writing_
    time_point deadline_ = never;     // opening or draining must be over
    time_point watched_ = never;      // the earliest deadline the shard knows of
};

// --- the beginning ---

bool connection::open() {
    error_code ec;
    const auto after = opening_->go_on(ec);
    if (after == opening::state::lost) return lost(ec), false;
    if (after != opening::state::waits) deadline_ = shard_.now() + shard_.bounds().handshake_timeout;
    if (after == opening::state::waits) wait_readable();
    return opened() && after != opening::state::waits;
}

// After a step of opening: false when the connection is gone.
bool connection::opened() {
    switch (opening_->now()) {
    case opening::state::waits:
    case opening::state::speaks: return true;
    case opening::state::lost: return false;
    case opening::state::refused: break;
    case opening::state::known: {
        const auto done = std::move(opening_);
        client_ = done->client();
        out_.append_raw(as_bytes(done->take_answer()));
        if (framed()) out_.frame_with(websocket::frame_header);
        if (const auto agreed = done->deflate()) {
            deflate_ = std::make_unique<websocket::deflate_channel>(shard_.compression(), *agreed, info_.compression);
            out_.compress_with(deflate_.get());
        }
        set_engine(done->maker(), done->identity(), done->take_credentials());
        if (auto rest = done->take_rest(); !rest.empty()) feed({reinterpret_cast<std::uint8_t*>(rest.data()), rest.size()});
        return phase_ != phase::gone;
    }
    }
    const auto done = std::move(opening_);
    client_ = done->client();
    auto& count = shard_.core().desk().count();
    if (done->upgrade_refused()) {
        ++count.ws_handshake_failed;
    } else if (done->why().cause != close_cause::protocol_error) {
        ++count.connect_rejected[static_cast<std::size_t>(done->why().cause)];
        if (done->why().cause == close_cause::overload) count.refuse(limit_kind::connections_per_address);
    }
    spdlog::debug("connection {} from {}: refused: {} {}", id_.value(), client_.text(), token(done->why().cause), done->why().detail);
    // Who is not wanted goes at once; who made a mistake hears it, or at least the end, before what else he sent resets the connection.
    const auto answer = done->take_answer();
    if (answer.empty() && done->why().cause != close_cause::protocol_error) return vanish(done->why()), false;
    out_.append_raw(as_bytes(answer));
    why_ = std::make_unique<close_reason>(done->why());
    phase_ = phase::draining;
    deadline_ = shard_.now() + linger;
    watch_deadline();
    out_.touch();
    return true;
}

// --- reading ---

void connection::wait_readable() {
    if (reading_ || phase_ == phase::gone) return;
    reading_ = true;
    const bool was_unread = unread_;
    unread_ = false;
    if (was_unread && engine_) {
        last_read_ = shard_.now();
        pinged_ = false;
        engine_->on_reading(true, shard_.now());
        watch_deadline();
    }
    if (has_input()) shard_.make_ready(*this);
}

void connection::on_ready(time_point) {
    if (writing_ && stream_.can_write()) {
        writing_ = false;
        out_.touch();
    }
    if (reading_ && has_input()) {
        reading_ = false;
        on_readable();
    }
}

void connection::stop_reading() {
    const bool was_unread = unread_;
    unread_ = true;
    if (!was_unread && engine_) engine_->on_reading(false, shard_.now());
}

void connection::on_readable() {
    if (opening_ && opening_->now() == opening::state::waits && !open()) return;
    const auto buffer = shard_.read_buffer();
    const auto& desk = shard_.core().desk();
    if (desk.full()) return wait_readable(); // by others: in the next turn
    const auto left_before = desk.left_to_store();
    storing_ = false;
    for (int i = 0; i != reads_per_turn; ++i) {
        bool full = true;
        if (has_kept()) {
            auto kept = deflate_->take_kept();
            feed({reinterpret_cast<std::uint8_t*>(kept.data()), kept.size()});
        } else {
            error_code ec;
            const auto size = stream_.read_some(buffer, ec);
            if (ec == asio::error::would_block) break;
            if (ec) return lost(ec);
            shard_.core().desk().count().network_bytes_received += size;
            last_read_ = shard_.now();
            pinged_ = false;
            full = size == buffer.size();
            if (phase_ != phase::draining) feed(buffer.first(size)); // else: only waiting for the peer's end
        }
        if (phase_ == phase::gone) return;
        storing_ = desk.left_to_store() != left_before;
        if ((!full && !has_kept()) || is_held_back()) break;
        if (engine_ && (engine_->closing() || engine_->paused())) break;
    }
    watch_ticket();
    watch_deadline();
    if (is_over_rate()) answer_for_rate();
    if (engine_ && engine_->closing()) out_.touch();
    stop_or_read_on();
}

void connection::answer_for_rate() {
    if (!engine_ || engine_->closing() || over_rate_) return;
    over_rate_ = true;
    const auto which = meter()->by_user() ? limit_kind::user_publish_rate : limit_kind::publish_rate;
    shard_.core().desk().count().refuse(which);
    if (shard_.bounds().rate_action == "close") {
        engine_->close({.cause = close_cause::rate_limited, .detail = std::string{key(which)}}, shard_.now());
    }
}

// Paused for a claim, end_of_turn() reads on when it is answered.
void connection::stop_or_read_on() {
    if (!engine_ || !engine_->paused()) return read_on();
    stop_reading();
    if (is_over_rate()) watch_deadline();
    if (shard_.core().desk().full()) stall();
}

void connection::stall() {
    if (!stalled_) shard_.stall(id_);
    stalled_ = true;
}

void connection::on_uncongested() {
    stalled_ = false;
    if (phase_ == phase::gone) return;
    if (phase_ == phase::open && is_held_back()) return stall(); // less than it was, and still too much for this one
    if (engine_ && phase_ == phase::open) {
        engine_->go_on(shard_.now());
        watch_ticket();
        watch_deadline();
        out_.touch();
    }
    stop_or_read_on();
}

void connection::read_on() {
    if (!is_held_back() || phase_ != phase::open) return wait_readable();
    stop_reading();
    stall();
}

bool connection::is_held_back() const {
    return shard_.congested() == shard::congestion::all || (storing_ && shard_.congested() == shard::congestion::store);
}

void connection::feed(std::span<std::uint8_t> bytes) {
    if (opening_) {
        opening_->feed(bytes);
        (void)opened();
        return;
    }
    if (!framed()) return engine_->on_bytes(bytes, shard_.now());
    if (const auto rest = decoder_.feed(bytes, *this, deflate_ ? &deflate_->input() : nullptr)) deflate_->keep(*rest);
    if (const auto* const broken = decoder_.error(); broken != nullptr && phase_ == phase::open) {
        const close_reason why{.cause = broken->cause, .detail = std::string{broken->what}};
        if (why.cause == close_cause::too_big) shard_.core().desk().count().refuse(limit_kind::message_bytes);
        if (!engine_->closing()) engine_->close(why, shard_.now());
        begin_draining(why, broken->code, broken->what);
    }
}

void connection::set_engine(engine_maker make, const std::string& identity, security::credentials request) {
    const auto& bounds = shard_.bounds();
    std::unique_ptr<publish_meter> meter;
    if (bounds.client_publish_rate.bounded() || bounds.client_publish_bytes.bounded() || bounds.user_publish_rate.bounded() || bounds.user_publish_bytes.bounded()) {
        meter = std::make_unique<publish_meter>(bounds);
    }
    if (environment_.access != nullptr || meter || !identity.empty() || environment_.door.banned().has_names()) {
        gate_ = std::make_unique<gate>(environment_.access, environment_.door, environment_.quotas, shard_, client_.address, std::move(meter),
                                       visitor{.address = client_.address.text(), .listener = info_.name, .identity = identity}, std::move(request));
    }
    engine_ = make({.route = shard_.core().route(),
                    .sessions = shard_.core().sessions(),
                    .out = out_,
                    .bounds = shard_.bounds(),
                    .wire = shard_.core().wire(),
                    .new_ids = *this,
                    .dotted = info_.dotted,
                    .admit = gate_.get(),
                    .meter = this->meter()},
                   shard_.now());
    phase_ = phase::open;
    deadline_ = never;
    auto& count = shard_.core().desk().count();
    ++count.connections[static_cast<std::size_t>(engine_->kind())];
    ++count.connections_opened[static_cast<std::size_t>(engine_->kind())];
}

// --- WebSocket frames ---

void connection::on_data(byte_view piece, websocket::message_kind kind, bool begins, bool) {
    if (phase_ != phase::open || engine_->closing()) return;
    if (begins && kind == websocket::message_kind::text && !engine_->accepts_text()) { // [MQTT-6.0.0-1]
        const close_reason why{.cause = close_cause::unsupported_data,
                               .detail = "a text message where this protocol needs binary ones"};
        engine_->close(why, shard_.now());
        out_.touch();
        return;
    }
    engine_->on_bytes(piece, shard_.now());
}

void connection::on_ping(byte_view payload) {
    if (close_sent_ || phase_ != phase::open) return;
    if (out_.bytes() > out_.bytes_max() + control_frames_bytes_max) { // it pings and never reads
        return engine_->close({.cause = close_cause::slow_consumer, .detail = "pings without reading"}, shard_.now());
    }
    websocket::append_pong(out_, payload);
}

void connection::on_pong(byte_view) {}

void connection::on_close(std::uint16_t code, std::string_view) {
    if (phase_ != phase::open) return;
    // RFC 6455 §5.5.1: answer with the same code, then the connection ends. MQTT and STOMP say goodbye in their own
    // words before; without them this is a lost connection to the engine.
    begin_draining({.cause = close_cause::peer_gone, .detail = fmt::format("WebSocket close {}", code)},
                   code == 1005 ? 1000 : code, "");
}

// --- the end of a turn ---

void connection::end_of_turn(time_point now) {
    out_.end_turn();
    count_packets();
    if (phase_ == phase::gone) return;
    if (engine_ && phase_ == phase::open) {
        if (const auto* const reason = engine_->closing()) {
            const auto code = websocket::close_code_of(reason->cause);
            begin_draining(*reason, code, websocket::close_text_of(*reason));
        }
    }
    if (!writing_ && !write()) return;
    if (phase_ == phase::open && engine_ && !out_.over_limit()) {
        if (limited_) --shard_.core().desk().count().slow_consumers;
        limited_ = false;
        engine_->on_writable(now);
    }
    if (phase_ == phase::open && !limited_ && out_.over_limit()) {
        limited_ = true;
        ++shard_.core().desk().count().slow_consumers;
    }
    if (phase_ == phase::draining && out_.empty()) return finish_writing();
    const bool waited = !reading_ && !stalled_ && engine_;
    if (waited && phase_ == phase::open) engine_->go_on(now);
    watch_ticket();
    watch_deadline();
    if (waited) stop_or_read_on();
}

// False when the connection is gone.
bool connection::write() {
    std::array<byte_view, socket_stream::views_per_write> views;
    while (!out_.empty()) {
        error_code ec;
        const auto written = stream_.write_some(std::span{views}.first(out_.gather(views)), ec);
        if (ec == asio::error::would_block) {
            wait_writable();
            return true;
        }
        if (ec) {
            lost(ec);
            return false;
        }
        shard_.core().desk().count().network_bytes_sent += written;
        out_.consume(written);
    }
    return true;
}

void connection::wait_writable() {
    writing_ = true;
    last_progress_ = shard_.now();
    watch_deadline();
    if (stream_.can_write()) shard_.make_ready(*this);
}

// --- closing ---

void connection::close_frame(std::uint16_t code, std::string_view text) {
    if (!framed() || close_sent_) return;
    close_sent_ = true;
    websocket::append_close(out_, code, text);
}

void connection::begin_draining(const close_reason& why, std::uint16_t code, std::string_view text) {
    if (phase_ == phase::draining || phase_ == phase::gone) return;
    close_frame(code, text);
    why_ = std::make_unique<close_reason>(why);
    phase_ = phase::draining;
    disconnect_engine();
    deadline_ = shard_.now() + std::min<nanoseconds>(shard_.bounds().slow_consumer_timeout, seconds{5});
    watch_deadline();
    out_.touch();
}

void connection::finish_writing() {
    if (half_closed_ || writing_) return;
    // [STOMP12-LINGER-1]: for a short time.
    // Closing with unread input would reset the connection and lose what is still on its way to the peer: shut our side,
    // read the rest away, close when the peer has.
    error_code ec;
    stream_.end_sending(ec);
    if (ec == asio::error::would_block) return wait_writable();
    half_closed_ = true;
    deadline_ = shard_.now() + linger;
    watch_deadline();
    wait_readable();
}

void connection::lost(const error_code& ec) {
    const bool broken = stream_.tls() != nullptr && ec == boost::system::errc::protocol_error;
    vanish({.cause = broken ? close_cause::protocol_error : close_cause::peer_gone,
            .detail = broken ? "TLS: " + stream_.tls()->problem() : ec.message()});
}

void connection::vanish(const close_reason& why) {
    if (phase_ == phase::gone) return;
    if (stream_.tls() != nullptr && !stream_.tls()->established()) info_.tls->handshakes_failed.fetch_add(1, std::memory_order_relaxed);
    if (phase_ != phase::draining) why_ = std::make_unique<close_reason>(why);
    phase_ = phase::gone;
    disconnect_engine();
    out_.clear();
    stream_.close();
    shard_.remove(*this);
}

void connection::count_packets() {
    if (!engine_) return;
    shard_.core().desk().count().packets_sent[static_cast<std::size_t>(engine_->kind())] += out_.take_packets();
}

void connection::disconnect_engine() {
    if (!engine_) return;
    count_packets();
    auto& count = shard_.core().desk().count();
    const auto kind = static_cast<std::size_t>(engine_->kind());
    --count.connections[kind];
    const auto why = why_ ? *why_ : close_reason{};
    ++count.connections_closed[kind][static_cast<std::size_t>(why.cause)];
    if (limited_) --count.slow_consumers;
    limited_ = false;
    if (why.cause != close_cause::normal && why.cause != close_cause::peer_gone) {
        const auto who = engine_->info();
        spdlog::info("{} client {} on listener {} closed: {}{}{}", who.protocol,
                     who.client_id.empty() ? "(not connected)" : who.client_id, info_.name, token(why.cause),
                     why.detail.empty() ? "" : ": ", why.detail);
    }
    engine_->on_disconnected(shard_.now());
    engine_.reset();
    gate_.reset();
}

void connection::on_new_rules(time_point) {
    if (!engine_ || !gate_ || engine_->closing()) return;
    if (auto given = gate_->again()) judge(std::move(*given));
}

std::optional<result<time_point, close_cause>> connection::renew_token(std::string_view token) {
    if (!engine_ || !gate_ || engine_->closing() || !gate_->expires()) return std::nullopt;
    judge(gate_->renew(token));
    if (const auto* const why = engine_->closing()) return fail(why->cause);
    return *gate_->expires();
}

void connection::judge(admission::answer given) {
    if (auto* const may = std::get_if<welcome>(&given)) engine_->on_rights(std::move(*may), shard_.now());
    else engine_->close(std::get<close_reason>(given), shard_.now());
    watch_deadline();
    out_.touch();
}

// --- deadlines ---

time_point connection::next_deadline() const {
    auto at = deadline_;
    if (engine_) at = std::min(at, engine_->next_deadline());
    if (engine_ && is_over_rate()) at = std::min(at, meter()->next());
    if (engine_ && gate_) at = std::min(at, gate_->warns_at());
    if (writing_) at = std::min(at, last_progress_ + shard_.bounds().slow_consumer_timeout);
    const auto idle = shard_.bounds().idle_timeout;
    if (framed() && phase_ == phase::open && !unread_ && idle.count() != 0) {
        at = std::min(at, pinged_ ? last_read_ + idle : last_read_ + idle / 2);
    }
    return at;
}

void connection::watch_deadline() {
    const auto at = next_deadline();
    if (at >= watched_) return;
    watched_ = at;
    shard_.schedule_deadline(id_, at);
}

void connection::on_deadline(time_point now) {
    watched_ = never;
    if (phase_ == phase::gone) return;
    if (deadline_ <= now) {
        return vanish({.cause = phase_ == phase::opening ? close_cause::keepalive : why_->cause,
                       .detail = "handshake took too long"});
    }
    if (writing_ && last_progress_ + shard_.bounds().slow_consumer_timeout <= now) {
        return vanish({.cause = close_cause::slow_consumer, .detail = "took nothing of what it was sent"});
    }
    if (engine_ && engine_->next_deadline() <= now) {
        engine_->on_deadline(now);
        out_.touch();
    }
    if (engine_ && gate_ && gate_->warns_at() <= now) gate_->warn(now);
    if (engine_ && is_over_rate() && meter()->next() <= now) {
        meter()->look_again(now);
        over_rate_ = false;
        if (phase_ == phase::open && !reading_) {
            engine_->go_on(now);
            if (is_over_rate()) answer_for_rate();
            watch_ticket();
            out_.touch();
            if (!stalled_) stop_or_read_on();
        }
    }
    const auto idle = shard_.bounds().idle_timeout;
    if (framed() && phase_ == phase::open && !unread_ && idle.count() != 0) {
        if (last_read_ + idle <= now) {
            return vanish({.cause = close_cause::keepalive, .detail = "did not answer a WebSocket ping"});
        }
        if (!pinged_ && last_read_ + idle / 2 <= now) {
            pinged_ = true;
            websocket::append_ping(out_, {});
        }
    }
    watch_deadline();
}

void connection::watch_ticket() {
    if (waiting_for_ticket_ || !engine_ || engine_->awaiting() <= shard_.core().desk().durable_upto()) return;
    waiting_for_ticket_ = true;
    shard_.wait_for_ticket(id_);
}

// --- outside ---

connection_summary connection::summary() const {
    return {.listener = info_.name,
            .client = client_,
            .transport = info_.tls ? (framed() ? "wss" : "tls") : (framed() ? "ws" : "tcp"),
            .connected_at = connected_at_,
            .outbox_bytes = out_.bytes(),
            .identity = gate_ ? std::string_view{gate_->identity()} : std::string_view{}};
}

connection_summary summary(const shard_connection& c) { return static_cast<const connection&>(c).summary(); }

std::optional<result<time_point, close_cause>> renew_token(shard_connection& c, std::string_view token) {
    return static_cast<connection&>(c).renew_token(token);
}

void open_connection(shard& on, int socket, const tcp::endpoint& peer, const listener_info& from, connection_environment& environment) {
    auto& count = on.core().desk().count();
    ++count.sockets_opened;
    auto guest = environment.door.enter(*from.open, from.connections_max);
    if (!guest) {
        ++count.connect_rejected[static_cast<std::size_t>(close_cause::overload)];
        const bool by_listener = from.connections_max != 0 && from.open->load(std::memory_order_relaxed) >= from.connections_max;
        count.refuse(by_listener ? limit_kind::listener_connections : limit_kind::connections);
        ::close(socket);
        return;
    }
    auto made = std::make_shared<connection>(on, socket, endpoint_of(peer), from, environment, std::move(*guest));
    on.add(made);
    made->start();
}

} // namespace broker
