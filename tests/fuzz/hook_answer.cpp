// What an HTTP auth hook answers, arbitrary: taken as a whole or refused with a reason, and nobody is let in by what was refused.
#include "core/assert.hpp"
#include "core/bytes.hpp"
#include "core/utf8.hpp"
#include "security/hook_answer.hpp"

using namespace broker;
using namespace broker::security;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto answer = parse_hook_answer(as_text({data, size}));
    if (!answer) {
        BROKER_ASSERT(!answer.error().empty());
        return 0;
    }
    BROKER_ASSERT(is_utf8(answer->user) && !answer->user.contains('\0'));
    if (answer->what != hook_answer::verdict::allow) BROKER_ASSERT(answer->user.empty() && answer->rights.rules.empty() && answer->expires == never);
    return 0;
}
