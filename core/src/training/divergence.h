// SPDX-License-Identifier: MIT
// A training may diverge: numbers overflow in a lane, and updates come to nothing until the lane begins anew. That is noted,
// survives a checkpoint and is told at the end.
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <set>
#include <string>

namespace serpent {

struct Divergence {
    std::set<int> lanes;                ///< in which numbers overflowed at one time or another
    std::int64_t skipped_updates = 0;   ///< whose gradient was not finite; not counted on a device

    /// One sentence, without a full stop; empty when nothing happened.
    std::string note(std::int64_t steps, double rate) const;
    nlohmann::json to_json() const;
    /// From a checkpoint; absent in those of older versions. Throws Error when it is damaged.
    static Divergence from(const nlohmann::json& progress, int lanes, std::int64_t steps);
};

} // namespace serpent
