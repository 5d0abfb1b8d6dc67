// SPDX-License-Identifier: MIT
#include "training/divergence.h"

#include "training/checkpoint_file.h"

#include <sstream>

namespace serpent {

std::string Divergence::note(std::int64_t steps, double rate) const {
    if (lanes.empty() && skipped_updates == 0) return {};
    constexpr std::size_t most_named = 16;
    std::ostringstream text;
    text << "the training diverged: ";
    if (skipped_updates > 0) text << skipped_updates << " of " << steps << " updates came to nothing because ";
    text << "numbers overflowed in ";
    if (lanes.empty()) text << "the gradient";
    else text << (lanes.size() == 1 ? "lane " : "lanes ");
    std::size_t named = 0;
    for (const int lane : lanes) {
        if (named == most_named) break;
        text << (named++ > 0 ? ", " : "") << lane;
    }
    if (lanes.size() > named) text << " and " << lanes.size() - named << " more";
    text << "; the model is the best that there was, and a lower \"rate\" than " << rate << " in --schedule may do better";
    return text.str();
}

nlohmann::json Divergence::to_json() const { return {{"lanes", lanes}, {"skipped_updates", skipped_updates}}; }

Divergence Divergence::from(const nlohmann::json& progress, int lanes, std::int64_t steps) {
    Divergence read;
    if (!progress.contains("divergence")) return read;
    const nlohmann::json& j = progress.at("divergence");
    for (const nlohmann::json& lane : j.at("lanes")) read.lanes.insert(static_cast<int>(checkpoint::count_of(lane, "diverged lane", lanes - 1)));
    read.skipped_updates = checkpoint::count_of(j.at("skipped_updates"), "number of skipped updates", steps);
    return read;
}

} // namespace serpent
