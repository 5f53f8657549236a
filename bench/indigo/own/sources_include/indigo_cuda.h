// What the templates beside this count on.
#pragma once
