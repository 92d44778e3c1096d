/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <string.h>

#include "service/service.h"

extern const struct service service_delay;
extern const struct service service_echo;
extern const struct service service_print;

static const struct service *const services[] = {
    &service_delay,
    &service_echo,
    &service_print,
};

const struct service *service_at(size_t index)
{
    return index < sizeof services / sizeof *services ? services[index] : NULL;
}

const struct service *service_find(const char *name)
{
    const struct service *service = NULL;

    for (size_t i = 0; (service = service_at(i)); i++)
        if (strcmp(service->name, name) == 0)
            break;
    return service;
}
