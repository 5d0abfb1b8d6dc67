-- SPDX-License-Identifier: GPL-3.0-or-later
-- change_state.lua FILE: changes the plugin's state in a saved session where Ardour cannot without a window: the oversampling,
-- and a switch, which it does not show for LV2. FILE is the session (VST3: base64) or a state.ttl (LV2: JUCE's own base64).
local juces = arg[1]:match("%.ttl$") ~= nil
local alphabet = juces and ".ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+"
                       or "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
local pattern = juces and 'StateString> "%d+%.()([^"]+)()"' or "<chunk>()([^<=]+)()=*</chunk>"

-- Elements of `from` bits as elements of `to` bits; the first bits are the lowest (JUCE) or the highest of each.
local function regroup(elements, from, to)
    local out, bits, held = {}, 0, 0
    for _, element in ipairs(elements) do
        held = juces and held | element << bits or held << from | element
        bits = bits + from
        while bits >= to do
            bits = bits - to
            out[#out + 1] = juces and held & ((1 << to) - 1) or held >> bits
            held = juces and held >> to or held & ((1 << bits) - 1)
        end
    end
    if bits > 0 and to < from then out[#out + 1] = juces and held or held << (to - bits) end  -- else it only filled up
    return out
end

local file = assert(io.open(arg[1], "rb"))
local text = file:read("a")
file:close()
local first, coded, last = text:match(pattern)
assert(first, "no state in " .. arg[1])
local elements = {}
for i = 1, #coded do elements[i] = alphabet:find(coded:sub(i, i), 1, true) - 1 end
local bytes = {}
for i, byte in ipairs(regroup(elements, 6, 8)) do bytes[i] = string.char(byte) end
local state, rates, switches = table.concat(bytes), 0, 0
state, rates = state:gsub('oversampling="1"', 'oversampling="4"')  -- as long as before: sizes are written elsewhere
state, switches = state:gsub('id="normalise" value="0"', 'id="normalise" value="1"')
assert(rates == 1 and switches == 1, "no oversampling or no normalising in the state: " .. rates .. ", " .. switches)
elements = {}
for i = 1, #state do elements[i] = state:byte(i) end
local characters = {}
for i, element in ipairs(regroup(elements, 8, 6)) do characters[i] = alphabet:sub(element + 1, element + 1) end
file = assert(io.open(arg[1], "wb"))
file:write(text:sub(1, first - 1), table.concat(characters), text:sub(last))
file:close()
print("done")
