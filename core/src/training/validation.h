// SPDX-License-Identifier: MIT
#pragma once

#include "serpent/model.h"
#include "serpent/render.h"
#include "serpent/training.h"

#include <memory>
#include <vector>

namespace serpent {

/// Mean ESR of the takes, each played from its state of silence. options: of rendering; the controls are the takes' own.
double validation_esr(const std::shared_ptr<const Model>& model, const std::vector<TrainingTake>& takes, RendererOptions options);

} // namespace serpent
