-- SPDX-License-Identifier: GPL-3.0-or-later
-- A script for Ardour that plays plucked notes, the same ones each time: what the tests' sessions process.
ardour { ["type"] = "dsp", name = "Notes", license = "GPL", author = "Serpent", description = "Plucked notes for tests" }

function dsp_ioconfig() return { { audio_in = -1, audio_out = -1 } } end

local played = 0
function dsp_run(_, outs, n_samples)
    for channel = 1, #outs do
        local out = outs[channel]:array()
        for i = 1, n_samples do
            local t = played + i
            out[i] = 0.5 * math.sin(t * (0.02 + 0.003 * channel)) * math.exp(-(t % 16000) / 5000)
        end
    end
    played = played + n_samples
end
