/*
 * vmvctl: does things to domains step by step and writes what became of each: "STEP name OK" or "STEP name ERROR".
 *
 *   vmvctl create LABEL                             an empty domain, destroyed by whoever made it
 *   vmvctl build LABEL KERNEL RAMDISK MB ARGUMENTS  a PV guest, left paused; writes DOMID and MFN
 *   vmvctl try DOMID STEP...                        getinfo pause unpause max_vcpus setmaxmem shutdown destroy map=MFN
 *                                                   ports (asks which ports are connected)
 *                                                   copy=REF give=REF (copies from and to a page that it grants)
 *   vmvctl state DOMID
 *   vmvctl host STEP...                             info log keys loadpolicy setenforce: of the hypervisor itself
 *
 * Runs in dom0, and in a PV guest whose kernel has the parameter xen_privcmd.unrestricted=1.
 */
#define _GNU_SOURCE
#define XC_WANT_COMPAT_MAP_FOREIGN_API
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <xenctrl.h>
#include <xengnttab.h>
#include <xenguest.h>

static xc_interface *xch;

static int step(const char *name, int rc)
{
    printf("STEP %s %s\n", name, rc < 0 ? strerrorname_np(errno) : "OK");
    fflush(stdout);
    return rc < 0;
}

static int create(const char *label, uint32_t *domid)
{
    struct xen_domctl_createdomain config = {
        .max_vcpus = 1, .max_evtchn_port = -1, .max_grant_frames = -1, .max_maptrack_frames = -1,
        .grant_opts = XEN_DOMCTL_GRANT_version(1),
    };

    *domid = ~0u;
    return step("context", xc_flask_context_to_sid(xch, (char *)label, strlen(label), &config.ssidref)) ||
           step("create", xc_domain_create(xch, domid, &config)) || step("max_vcpus", xc_domain_max_vcpus(xch, *domid, 1));
}

static int build(char **argv)
{
    struct xc_dom_image *image;
    unsigned int mb = atoi(argv[3]);
    uint32_t domid;

    if (create(argv[0], &domid) || step("setmaxmem", xc_domain_setmaxmem(xch, domid, mb * 1024 + 1024)))
        return 1;
    image = xc_dom_allocate(xch, argv[4], NULL);
    image->container_type = XC_DOM_PV_CONTAINER;
    if (step("kernel_file", xc_dom_kernel_file(image, argv[1])) || step("module_file", xc_dom_module_file(image, argv[2], NULL)) ||
        step("xen_init", xc_dom_boot_xen_init(image, xch, domid)) || step("parse_image", xc_dom_parse_image(image)) ||
        step("mem_init", xc_dom_mem_init(image, mb)) || step("boot_mem_init", xc_dom_boot_mem_init(image)) ||
        step("build_image", xc_dom_build_image(image)) || step("boot_image", xc_dom_boot_image(image)))
        return 1;
    printf("DOMID %u\nMFN %lx\n", domid, (unsigned long)xc_dom_p2m(image, image->console_pfn));
    xc_dom_release(image);
    return 0;
}

static int get_info(uint32_t domid, xc_dominfo_t *info)
{
    int found = xc_domain_getinfo(xch, domid, 1, info);

    if (found < 0 || (found == 1 && info->domid == domid))
        return found;
    errno = ESRCH;
    return -1;
}

static int ask_ports(uint32_t domid)
{
    int answered = 0;

    for (int port = 1; port < 64; port++) {
        xc_evtchn_status_t status = { .dom = domid, .port = port };
        answered += !xc_evtchn_status(xch, &status);
    }
    return answered ? 0 : -1;
}

/* The hypervisor asks FLASK before it looks whether the page is granted to the caller. */
static int copy(uint32_t domid, uint32_t ref, int give)
{
    static char page[XC_PAGE_SIZE];
    xengnttab_handle *grants = xengnttab_open(NULL, 0);
    xengnttab_grant_copy_segment_t segment = { .len = 16, .flags = give ? GNTCOPY_dest_gref : GNTCOPY_source_gref };
    union xengnttab_copy_ptr *theirs = give ? &segment.dest : &segment.source;
    union xengnttab_copy_ptr *ours = give ? &segment.source : &segment.dest;

    theirs->foreign.ref = ref;
    theirs->foreign.domid = domid;
    ours->virt = page;
    if (!grants || xengnttab_grant_copy(grants, 1, &segment))
        return -1;
    errno = segment.status == GNTST_permission_denied ? EACCES : EINVAL;
    return segment.status == GNTST_okay ? 0 : -1;
}

static int try(uint32_t domid, const char *name)
{
    xc_dominfo_t info;
    void *page;

    if (!strcmp(name, "getinfo")) return step(name, get_info(domid, &info));
    if (!strcmp(name, "pause")) return step(name, xc_domain_pause(xch, domid));
    if (!strcmp(name, "unpause")) return step(name, xc_domain_unpause(xch, domid));
    if (!strcmp(name, "max_vcpus")) return step(name, xc_domain_max_vcpus(xch, domid, 1));
    if (!strcmp(name, "setmaxmem")) return step(name, xc_domain_setmaxmem(xch, domid, 200 * 1024));
    if (!strcmp(name, "shutdown")) return step(name, xc_domain_shutdown(xch, domid, 0));
    if (!strcmp(name, "destroy")) return step(name, xc_domain_destroy(xch, domid));
    if (!strcmp(name, "ports")) return step(name, ask_ports(domid));
    if (!strncmp(name, "copy=", 5)) return step("copy", copy(domid, atoi(name + 5), 0));
    if (!strncmp(name, "give=", 5)) return step("give", copy(domid, atoi(name + 5), 1));
    if (strncmp(name, "map=", 4)) return 2;
    page = xc_map_foreign_range(xch, domid, XC_PAGE_SIZE, PROT_READ, strtoul(name + 4, NULL, 16));
    return step("map", page ? 0 : -1);
}

static int host(const char *name)
{
    static char buffer[XC_PAGE_SIZE];
    unsigned int length = sizeof(buffer);
    xc_physinfo_t info = { 0 };

    if (!strcmp(name, "info")) return step(name, xc_physinfo(xch, &info));
    if (!strcmp(name, "log")) return step(name, xc_readconsolering(xch, buffer, &length, 0, 0, NULL));
    if (!strcmp(name, "keys")) return step(name, xc_send_debug_keys(xch, "h"));
    if (!strcmp(name, "loadpolicy")) return step(name, xc_flask_load(xch, buffer, length));
    if (!strcmp(name, "setenforce")) return step(name, xc_flask_setenforce(xch, 0));
    return 2;
}

int main(int argc, char **argv)
{
    xc_dominfo_t info;
    uint32_t domid;

    xch = xc_interface_open(NULL, NULL, 0);
    if (!xch || argc < 3)
        return 2;
    if (!strcmp(argv[1], "create"))
        return create(argv[2], &domid) || step("destroy", xc_domain_destroy(xch, domid));
    if (!strcmp(argv[1], "build") && argc == 7)
        return build(argv + 2);
    for (int i = 2; i < argc && !strcmp(argv[1], "host"); i++)
        host(argv[i]);
    if (!strcmp(argv[1], "host"))
        return 0;
    domid = atoi(argv[2]);
    if (!strcmp(argv[1], "state") && !step("getinfo", get_info(domid, &info)))
        printf("STATE shutdown=%u reason=%u pages=%lu\n", info.shutdown, info.shutdown_reason, info.nr_pages);
    for (int i = 3; i < argc; i++)
        try(domid, argv[i]);
    return 0;
}
