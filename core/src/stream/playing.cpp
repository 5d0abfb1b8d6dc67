// SPDX-License-Identifier: MIT
#include "stream/playing.h"

#include "stream/instances.h"
#include "stream/nam_instances.h"

#include <utility>

namespace serpent {

std::unique_ptr<Playing> make_playing(std::shared_ptr<const Model> model, const StreamOptions& options, std::vector<float> controls) {
    if (model->nam) return std::make_unique<NamInstances>(std::move(model), options);
    return std::make_unique<Instances>(std::move(model), options, std::move(controls));
}

} // namespace serpent
