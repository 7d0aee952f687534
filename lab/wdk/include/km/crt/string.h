/* The memory functions that compilers call; ntoskrnl.exe exports them. */
#pragma once

#include <ntdef.h>

int memcmp(const void *a, const void *b, size_t n);
void *memcpy(void *to, const void *from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n);
